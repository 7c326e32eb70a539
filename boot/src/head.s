// The image's head: Linux Image header and PE header, and the way from the first instruction to Rust.
//
// Entry by the Linux boot protocol (Documentation/arch/arm64/booting.rst in Linux): x0 = physical address
// of the device tree, MMU off, interrupts masked, EL2 or EL1, loaded at any multiple of 2 MiB.
// Entry as an EFI application (UEFI 2.10, section 2.3.6): x0 = image handle, x1 = system table, the
// firmware's identity map on, its stack, loaded at any multiple of 4 KiB, bss zero. Rust runs first, on
// what the firmware provides, until boot services are left; then the MMU goes off and both ways are one.
// Memory is Device until the MMU is on, so nothing here makes an unaligned or exclusive access, and no
// Rust runs while it is off.
//
// Registers kept on the way: x19 = x0 at entry, x20 = exception level at entry, x23 = 1 if entered by EFI:
// bss is zero and in use, and the image is relocated; x24 = where EL1 goes on after EL2 is left.
//
// A second CPU comes in by `secondary_entry`, when the first one asks PSCI for it: x0 = what the first one gave
// along, MMU off, EL1 or EL2 (Arm DEN 0022, CPU_ON). It goes the same way, to the map that the first one made.

// EL1 with MMU and caches off, whoever set it up before.
.macro reset_el1
    ldr     x0, ={SCTLR_OFF}
    msr     sctlr_el1, x0
    mov     x0, #{CPACR_FP}
    msr     cpacr_el1, x0
    isb
.endm

// Translation by the tables that \ttbr leads to, and both caches.
.macro mmu_on ttbr
    ldr     x0, ={MAIR}
    msr     mair_el1, x0
    ldr     x0, ={TCR}
    mrs     x1, id_aa64mmfr0_el1
    and     x1, x1, #0xf            // physical address size; this layout of tables ends at 48 bits
    mov     x2, #{PARANGE_48_BITS}
    cmp     x1, x2
    csel    x1, x1, x2, lo
    bfi     x0, x1, #{TCR_IPS_SHIFT}, #3
    msr     tcr_el1, x0
    msr     ttbr0_el1, \ttbr
    msr     ttbr1_el1, xzr
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     x0, ={SCTLR_ON}
    msr     sctlr_el1, x0
    isb
.endm

// Our code runs on SP_EL0, exceptions arrive on SP_EL1: an exception finds a good stack even when the main
// one has run out.
.macro use_stacks main, exception
    adrp    x0, \exception
    add     x0, x0, :lo12:\exception
    msr     spsel, #1
    mov     sp, x0
    msr     spsel, #0
    adrp    x0, \main
    add     x0, x0, :lo12:\main
    mov     sp, x0
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    isb
.endm

.section .text.head, "ax"
.global boot_header
boot_header:
    ccmp    x18, #0, #0xd, pl       // does no harm, and its bytes begin with "MZ", as a PE file must
    b       entry
    .quad   0                       // load offset from a multiple of 2 MiB
    .quad   image_size              // all memory that the image uses, far beyond the file
    .quad   {HEADER_FLAGS}
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   pe_header - boot_header

// PE32+ header of an EFI application with two sections (Microsoft PE format; UEFI 2.10, section 2.1.1).
// Sizes and places are the linker script's, which counts from the image's first byte as PE does.
pe_header:
    .ascii  "PE\0\0"
    .short  {PE_MACHINE_ARM64}
    .short  2                       // sections
    .long   0, 0, 0                 // no date, no symbols
    .short  pe_sections - pe_optional_header
    .short  {PE_CHARACTERISTICS}
pe_optional_header:
    .short  {PE_MAGIC_64}
    .byte   0, 0                    // linker version
    .long   pe_code_size
    .long   pe_data_file_size
    .long   0                       // bss is part of the data section
    .long   efi_entry - boot_header
    .long   pe_code_start
    .quad   0                       // no preferred address
    .long   {PE_ALIGNMENT}          // of sections in memory
    .long   {PE_ALIGNMENT}          // and in the file
    .short  0, 0, 0, 0, 0, 0        // versions of system, image, subsystem
    .long   0
    .long   image_size
    .long   {PE_ALIGNMENT}          // size of all headers: one page
    .long   0                       // no checksum
    .short  {PE_SUBSYSTEM_EFI_APPLICATION}
    .short  {PE_NX_COMPATIBLE}
    .quad   0, 0, 0, 0              // stack and heap: firmware's
    .long   0
    .long   PE_DIRECTORIES
    .fill   PE_DIRECTORIES, 8, 0    // none: it relocates itself
pe_sections:
    .ascii  ".text\0\0\0"
    .long   pe_code_size, pe_code_start, pe_code_size, pe_code_start
    .long   0, 0
    .short  0, 0
    .long   {PE_SECTION_CODE}
    .ascii  ".data\0\0\0"
    .long   pe_data_size, pe_data_start, pe_data_file_size, pe_data_start
    .long   0, 0
    .short  0, 0
    .long   {PE_SECTION_DATA}
    .equ    PE_DIRECTORIES, 6

// Headers are no section: a firmware may map their page without execution.
    .balign {PE_ALIGNMENT}
efi_entry:
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1
    bl      relocate
    cbnz    x0, 1f
    mov     x0, x19
    mov     x1, x20
    bl      boot_efi_application
    cbz     x0, boot_services_left
1:  ldp     x19, x20, [sp, #16]     // back to the firmware, with an error for it
    ldp     x29, x30, [sp], #32
    ret

boot_services_left:
    msr     daifset, #0xf
    // What lies in the caches goes to memory, which is all that is seen while the MMU is off.
    mrs     x0, ctr_el0
    ubfx    x0, x0, #16, #4
    mov     x2, #4
    lsl     x2, x2, x0
    adrp    x0, boot_header
    adrp    x1, image_end
1:  dc      civac, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    mov     x23, #1
    adr     x24, at_el1
    mrs     x20, CurrentEL
    ubfx    x20, x20, #2, #2
    cmp     x20, #2
    b.eq    2f
    b.hi    park
    mrs     x0, sctlr_el1
    ldr     x1, ={SCTLR_MMU_AND_CACHE}
    bic     x0, x0, x1
    msr     sctlr_el1, x0
    isb
    b       at_el1
2:  mrs     x0, sctlr_el2
    ldr     x1, ={SCTLR_MMU_AND_CACHE}
    bic     x0, x0, x1
    msr     sctlr_el2, x0
    isb
    tlbi    alle2
    dsb     nsh
    isb
    b       at_el2

entry:
    msr     daifset, #0xf
    mov     x19, x0
    mov     x23, #0
    adr     x24, at_el1
    // The boot protocol starts one CPU here. Whoever starts another one gets it parked.
    mrs     x0, mpidr_el1
    ldr     x1, ={MPIDR_AFFINITY}
    tst     x0, x1
    b.ne    park
    mrs     x20, CurrentEL
    ubfx    x20, x20, #2, #2
    cmp     x20, #2
    b.lo    at_el1
    b.hi    park                    // EL3 is firmware's; the protocol never enters there

at_el2:
// EL2 keeps nothing for itself: no traps, no second translation, virtual time equal to physical time.
    ldr     x0, ={HCR_EL2}
    msr     hcr_el2, x0
    isb
    mrs     x0, hcr_el2             // E2H can be fixed to 1; two registers then have another layout
    tbnz    x0, #{HCR_EL2_E2H_BIT}, 1f
    mov     x1, #{CPTR_EL2}
    mov     x2, #{CNTHCTL_EL2}
    b       2f
1:  mov     x1, #{CPTR_EL2_E2H}
    mov     x2, #{CNTHCTL_EL2_E2H}
2:  msr     cptr_el2, x1
    msr     cnthctl_el2, x2
    msr     cntvoff_el2, xzr
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    ldr     x0, ={SCTLR_OFF}
    msr     sctlr_el1, x0
    mov     x0, #{SPSR_EL1H_MASKED}
    msr     spsr_el2, x0
    msr     elr_el2, x24
    eret

at_el1:
    reset_el1
    msr     tpidr_el1, xzr          // this is CPU 0

// The first map: 1 GiB blocks for the lowest GiB (devices) and for those GiBs in which the image begins
// and ends. Table 0 is the root, table 1 is for the lowest 512 GiB, table 2 for the image's, if other.
    adrp    x21, first_tables
    add     x0, x21, #(3 * 4096)
    mov     x1, x21
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x0
    b.lo    1b
    add     x22, x21, #4096
    orr     x0, x22, #{TABLE}
    str     x0, [x21]
    mov     x0, #{DEVICE_BLOCK}
    str     x0, [x22]
    adrp    x0, boot_header
    bl      map_gib
    adrp    x0, image_end
    sub     x0, x0, #1
    bl      map_gib
    // The tables were written past the caches. Lines that lie there from before must not hide them.
    dsb     sy
    mrs     x0, ctr_el0
    ubfx    x0, x0, #16, #4
    mov     x1, #4
    lsl     x1, x1, x0
    add     x0, x21, #(3 * 4096)
    mov     x2, x21
1:  dc      ivac, x2
    add     x2, x2, x1
    cmp     x2, x0
    b.lo    1b
    dsb     sy

    mmu_on  x21

// Memory is memory from here on.
    use_stacks main_stack_top, exception_stack_top

    cbnz    x23, 3f
    adrp    x0, bss_start
    adrp    x1, bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  bl      relocate
    cbnz    x0, park
3:
    msr     daifclr, #4             // an asynchronous abort is reported from now on
    mov     x0, x19
    mov     x1, x20
    mov     x2, x23
    mov     x29, xzr
    mov     x30, xzr
    bl      boot_rust_entry

.global secondary_entry
secondary_entry:
    msr     daifset, #0xf
    mov     x19, x0
    adr     x24, secondary_at_el1
    mrs     x20, CurrentEL
    ubfx    x20, x20, #2, #2
    cmp     x20, #2
    b.eq    at_el2
    b.hi    park
secondary_at_el1:
    reset_el1
    mov     x0, #1                  // this is CPU 1
    msr     tpidr_el1, x0
    adrp    x21, table_pool_start   // the final map, by its tag
    mov     x0, #{FINAL_ASID}
    orr     x21, x21, x0, lsl #{TTBR_ASID_SHIFT}
    mmu_on  x21
    use_stacks secondary_stack_top, secondary_exception_stack_top
    msr     daifclr, #4
    mov     x0, x19
    mov     x29, xzr
    mov     x30, xzr
    bl      boot_rust_secondary

.global park
park:
    wfi
    b       park

// Relocation: each entry of .rela.dyn is (place, kind, addend); all kinds are R_AARCH64_RELATIVE in a
// static executable: the address that the image would have at 0, moved to where it is. Leaves x0 = 0, or
// an EFI error if the linker made something that this loop does not know.
relocate:
    adrp    x0, boot_header
    adrp    x1, rela_start
    add     x1, x1, :lo12:rela_start
    adrp    x2, rela_end
    add     x2, x2, :lo12:rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     w4, #{R_AARCH64_RELATIVE}
    b.ne    3f
    add     x5, x5, x0
    str     x5, [x3, x0]
    b       1b
2:  mov     x0, #0
    ret
3:  ldr     x0, ={EFI_LOAD_ERROR}
    ret

// Maps the GiB around address x0 as memory, in table 1 or 2. An image that lies across a multiple of
// 512 GiB above the first would need a fourth table; no machine has such memory.
map_gib:
    lsr     x1, x0, #39
    mov     x2, x22
    cbz     x1, 1f
    add     x2, x21, #(2 * 4096)
    orr     x3, x2, #{TABLE}
    str     x3, [x21, x1, lsl #3]
1:  ubfx    x1, x0, #30, #9
    lsr     x0, x0, #30
    lsl     x0, x0, #30
    mov     x3, #{NORMAL_BLOCK}
    orr     x0, x0, x3
    str     x0, [x2, x1, lsl #3]
    ret

.ltorg
