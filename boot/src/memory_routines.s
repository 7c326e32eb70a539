// memcpy, memmove and memset, which compiled code calls.
//
// An emulator translates each instruction before it runs it, so these are short: those of `compiler_builtins`, which
// avoid unaligned accesses, are six times as long and copy fewer bytes at a time. Unaligned accesses to normal memory
// are possible whenever Rust runs, and no Rust passes device memory to these.

    .section .text.memory_routines, "ax"

// x0 = destination, x1 = source, x2 = bytes; returns the destination.
    .global memmove
    .type   memmove, %function
memmove:
    sub     x3, x0, x1
    cmp     x3, x2
    b.lo    .Lbackwards               // the destination begins inside of the source

    .global memcpy
    .type   memcpy, %function
memcpy:
    mov     x3, x0
    subs    x2, x2, #16
    b.lo    .Lforwards_rest
.Lforwards:
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    subs    x2, x2, #16
    b.hs    .Lforwards
.Lforwards_rest:                      // the low four bits of x2: bytes that are left
    tbz     x2, #3, 1f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
1:  tbz     x2, #2, 2f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
2:  tbz     x2, #1, 3f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
3:  tbz     x2, #0, 4f
    ldrb    w4, [x1]
    strb    w4, [x3]
4:  ret

.Lbackwards:
    add     x1, x1, x2
    add     x3, x0, x2
    subs    x2, x2, #16
    b.lo    .Lbackwards_rest
5:  ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
    subs    x2, x2, #16
    b.hs    5b
.Lbackwards_rest:
    tbz     x2, #3, 6f
    ldr     x4, [x1, #-8]!
    str     x4, [x3, #-8]!
6:  tbz     x2, #2, 7f
    ldr     w4, [x1, #-4]!
    str     w4, [x3, #-4]!
7:  tbz     x2, #1, 8f
    ldrh    w4, [x1, #-2]!
    strh    w4, [x3, #-2]!
8:  tbz     x2, #0, 9f
    ldrb    w4, [x1, #-1]
    strb    w4, [x3, #-1]
9:  ret

// x0 = destination, w1 = byte, x2 = bytes; returns the destination.
    .global memset
    .type   memset, %function
memset:
    mov     x3, x0
    and     w1, w1, #0xff
    orr     w1, w1, w1, lsl #8
    orr     w1, w1, w1, lsl #16
    orr     x1, x1, x1, lsl #32
    subs    x2, x2, #16
    b.lo    2f
1:  stp     x1, x1, [x3], #16
    subs    x2, x2, #16
    b.hs    1b
2:  tbz     x2, #3, 3f
    str     x1, [x3], #8
3:  tbz     x2, #2, 4f
    str     w1, [x3], #4
4:  tbz     x2, #1, 5f
    strh    w1, [x3], #2
5:  tbz     x2, #0, 6f
    strb    w1, [x3]
6:  ret
