// Exception vectors: save everything, then go on if the access only had no answer, else report; on a stack that is
// surely good.
//
// Our code runs at EL1 on SP_EL0 (group 0 of the table), so an exception there arrives with SP_EL1 at the
// top of the CPU's exception stack. An exception in the handler itself comes in by group 1, and gets a third
// stack; one more inside that parks the CPU. There is one third stack for all CPUs, and the first that needs it
// has it: its report ends the run, and another CPU that comes so far waits for that. Group 2 and 3 are for EL0,
// where nothing runs.

.macro vector kind
    .balign 128
    sub     sp, sp, #{FRAME_SIZE}
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       save
.endm

.macro nested_vector kind
    .balign 128
    msr     tpidr_el0, x0
    mov     x0, #\kind
    b       save_nested
.endm

.section .text.vectors, "ax"
.global vectors
vectors:
    vector 0
    vector 1
    vector 2
    vector 3
    nested_vector 4
    nested_vector 5
    nested_vector 6
    nested_vector 7
    vector 8
    vector 9
    vector 10
    vector 11
    vector 12
    vector 13
    vector 14
    vector 15
    .balign 128

.macro save_rest
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, sp_el0
    stp     x30, x1, [sp, #240]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp, #256]
    mrs     x2, esr_el1
    mrs     x3, far_el1
    stp     x2, x3, [sp, #272]
    str     x0, [sp, #288]
.endm

// FPSR and FPCR, and 32 registers of 16 bytes.
.equ VECTORS_SIZE, 16 + 32 * 16

.macro each_vector_pair instruction
    \instruction q0, q1, [sp, #16]
    \instruction q2, q3, [sp, #48]
    \instruction q4, q5, [sp, #80]
    \instruction q6, q7, [sp, #112]
    \instruction q8, q9, [sp, #144]
    \instruction q10, q11, [sp, #176]
    \instruction q12, q13, [sp, #208]
    \instruction q14, q15, [sp, #240]
    \instruction q16, q17, [sp, #272]
    \instruction q18, q19, [sp, #304]
    \instruction q20, q21, [sp, #336]
    \instruction q22, q23, [sp, #368]
    \instruction q24, q25, [sp, #400]
    \instruction q26, q27, [sp, #432]
    \instruction q28, q29, [sp, #464]
    \instruction q30, q31, [sp, #496]
.endm

save:
    save_rest
    // A guarded instruction that was refused is stepped over, and x1 says so.
    cbnz    x0, 1f
    adrp    x2, guarded_start
    add     x2, x2, :lo12:guarded_start
    adrp    x3, guarded_end
    add     x3, x3, :lo12:guarded_end
    cmp     x1, x2
    b.lo    1f
    cmp     x1, x3
    b.hs    1f
    add     x1, x1, #4
    msr     elr_el1, x1
    mov     x1, #1
    ldp     x2, x3, [sp, #16]
    ldr     x0, [sp]
    add     sp, sp, #{FRAME_SIZE}
    eret
1:  mov     x0, sp
    mov     x29, xzr
    // Rust code uses the vector registers, and what was interrupted may hold values there.
    sub     sp, sp, #VECTORS_SIZE
    each_vector_pair stp
    mrs     x1, fpsr
    mrs     x2, fpcr
    stp     x1, x2, [sp]
    bl      boot_rust_exception
    // It comes back only where the interrupted code can go on, with the registers in the frame.
    ldp     x1, x2, [sp]
    msr     fpsr, x1
    msr     fpcr, x2
    each_vector_pair ldp
    add     sp, sp, #VECTORS_SIZE
    ldp     x1, x2, [sp, #256]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    ldr     x30, [sp, #240]
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #{FRAME_SIZE}
    eret

save_nested:
    msr     tpidrro_el0, x1
    mov     sp, x2                  // where it was has no use any more
    adrp    x1, nested_entered
    add     x1, x1, :lo12:nested_entered
1:  ldaxr   x2, [x1]
    cbnz    x2, park
    stxr    w2, x1, [x1]
    cbnz    w2, 1b
    mov     x2, sp
    adrp    x1, nested_stack_top
    add     x1, x1, :lo12:nested_stack_top
    sub     x1, x1, #{FRAME_SIZE}
    mov     sp, x1
    mrs     x1, tpidr_el0
    str     x1, [sp]
    mrs     x1, tpidrro_el0
    str     x1, [sp, #8]
    save_rest
    mov     x0, sp
    mov     x29, xzr
    bl      boot_rust_exception
    b       park

.section .bss.nested_entered, "aw", @nobits
.balign 16
nested_entered:
    .quad 0

// Guarded instructions: they may be refused by the machine, and the code around them asks.

.section .text.guarded, "ax"
// -> x1 = 1 if the host does not answer semihosting calls.
.global guarded_semihosting
guarded_semihosting:
    mov     x0, #0x13               // SYS_ERRNO: no parameter, no effect
    mov     x1, #0
    hlt     #0xf000
    ret
// x0 = address -> x0 = the word there, x1 = 1 if there is none.
.global guarded_load
guarded_load:
    mov     x1, #0
    ldr     w0, [x0]
    ret
// x0 = address, w1 = word -> x1 = 1 if nothing takes it there.
.global guarded_store
guarded_store:
    mov     w2, w1
    mov     x1, #0
    str     w2, [x0]
    ret
.text
