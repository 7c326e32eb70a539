//! The assembly files with the constants that they use, and the first Rust function.

use core::arch::global_asm;

use aarch64_cpu::registers::{CNTHCTL_EL2, CPACR_EL1, HCR_EL2, MAIR_EL1, SCTLR_EL1, SPSR_EL2, TCR_EL1};

use addr::PhysAddr;

use crate::exception::Exception;
use crate::page_table::{DEVICE_BLOCK, NORMAL_BLOCK, PAGE_SIZE, TABLE};
use crate::{Handover, device_access, efi, layout, memory, secondary};

/// IMAGE_FILE_MACHINE_ARM64 (Microsoft PE format, machine types).
const PE_MACHINE_ARM64: u16 = 0xaa64;

/// IMAGE_FILE_EXECUTABLE_IMAGE, LINE_NUMS_STRIPPED and DEBUG_STRIPPED. RELOCS_STRIPPED is not among them:
/// the image may be loaded anywhere.
const PE_CHARACTERISTICS: u16 = 0x0206;

/// PE32+.
const PE_MAGIC_64: u16 = 0x20b;

/// Alignment of sections, and so the unit of the firmware's memory protection; the linker script pads to it.
const PE_ALIGNMENT: u64 = PAGE_SIZE;

/// IMAGE_SUBSYSTEM_EFI_APPLICATION.
const PE_SUBSYSTEM_EFI_APPLICATION: u16 = 10;

/// IMAGE_DLLCHARACTERISTICS_NX_COMPAT: no section is both written and executed.
const PE_NX_COMPATIBLE: u16 = 0x100;

/// CNT_CODE, MEM_EXECUTE and MEM_READ.
const PE_SECTION_CODE: u32 = 0x6000_0020;

/// CNT_INITIALIZED_DATA, MEM_READ and MEM_WRITE.
const PE_SECTION_DATA: u32 = 0xc000_0040;

/// EFI_LOAD_ERROR (UEFI 2.10, appendix D).
const EFI_LOAD_ERROR: u64 = 1 << 63 | 1;

/// The bits that are cleared before the firmware's map is replaced: SCTLR_ELx.M and C, the same
/// bits on EL1 and EL2.
const SCTLR_MMU_AND_CACHE: u64 = SCTLR_EL1::M::Enable.value | SCTLR_EL1::C::Cacheable.value;

/// Little-endian, 4 KiB pages, may be placed anywhere in memory (Linux, booting.rst, `flags`).
const HEADER_FLAGS: u64 = 0b1010;

/// Aff3, Aff2, Aff1 and Aff0 of MPIDR_EL1: all zero for the first CPU.
const MPIDR_AFFINITY: u64 = 0xff_00ff_ffff;

/// EL1 is AArch64; everything else of EL2's control is off.
const HCR_EL2_VALUE: u64 = HCR_EL2::RW::EL1IsAarch64.value;

/// Position of E2H in HCR_EL2 (Arm ARM, D19.2).
const HCR_EL2_E2H_BIT: u32 = 34;

/// Bits that read as one, no trap: layout with E2H = 0.
const CPTR_EL2: u64 = 0x33ff;

/// FPEN = 3, no trap: layout with E2H = 1, that of CPACR_EL1.
const CPTR_EL2_E2H: u64 = CPACR_EL1::FPEN::TrapNothing.value;

/// EL1 reads the physical counter and sets its timer.
const CNTHCTL_EL2_VALUE: u64 = CNTHCTL_EL2::EL1PCTEN::SET.value | CNTHCTL_EL2::EL1PCEN::SET.value;

/// The same two bits, EL1PCTEN and EL1PTEN, at their positions with E2H = 1.
const CNTHCTL_EL2_E2H: u64 = 0b11 << 10;

/// EL1 with its own stack pointer, all exceptions masked: D, A, I, F.
const SPSR_EL1H_MASKED: u64 = SPSR_EL2::M::EL1h.value
    | SPSR_EL2::D::Masked.value
    | SPSR_EL2::A::Masked.value
    | SPSR_EL2::I::Masked.value
    | SPSR_EL2::F::Masked.value;

/// Floating point and vector instructions are allowed.
const CPACR_FP: u64 = CPACR_EL1::FPEN::TrapNothing.value;

/// SCTLR_EL1 with nothing on: the bits that an Armv8.0 CPU reads as one (LSMAOE, nTLSMD, SPAN, EIS, TSCXT, EOS).
const SCTLR_OFF: u64 = 0x30d0_0800;

/// MMU, both caches, and the check that a stack pointer is aligned.
const SCTLR_ON: u64 = SCTLR_OFF
    | SCTLR_EL1::M::Enable.value
    | SCTLR_EL1::C::Cacheable.value
    | SCTLR_EL1::I::Cacheable.value
    | SCTLR_EL1::SA::Enable.value;

/// The two memory types, at the indices that `page_table` uses: Device-nGnRE, Normal write-back.
const MAIR: u64 = MAIR_EL1::Attr0_Device::nonGathering_nonReordering_EarlyWriteAck.value
    | MAIR_EL1::Attr1_Normal_Outer::WriteBack_NonTransient_ReadWriteAlloc.value
    | MAIR_EL1::Attr1_Normal_Inner::WriteBack_NonTransient_ReadWriteAlloc.value;

/// 48-bit addresses in 4 KiB pages through TTBR0, none through TTBR1; the walk itself is cached.
const TCR: u64 = TCR_EL1::T0SZ.val(16).value
    | TCR_EL1::TG0::KiB_4.value
    | TCR_EL1::SH0::Inner.value
    | TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable.value
    | TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable.value
    | TCR_EL1::EPD1::DisableTTBR1Walks.value
    | TCR_EL1::A1::TTBR0.value;

/// ID_AA64MMFR0_EL1.PARange for 48 bits.
const PARANGE_48_BITS: u64 = 5;

/// Position of IPS in TCR_EL1.
const TCR_IPS_SHIFT: u32 = 32;

/// Position of ASID in TTBR0_EL1.
const TTBR_ASID_SHIFT: u32 = 48;

/// The one relocation of a static position-independent executable (AAELF64, dynamic relocations).
const R_AARCH64_RELATIVE: u64 = 1027;

global_asm!(
    include_str!("head.s"),
    HEADER_FLAGS = const HEADER_FLAGS,
    PE_MACHINE_ARM64 = const PE_MACHINE_ARM64,
    PE_CHARACTERISTICS = const PE_CHARACTERISTICS,
    PE_MAGIC_64 = const PE_MAGIC_64,
    PE_ALIGNMENT = const PE_ALIGNMENT,
    PE_SUBSYSTEM_EFI_APPLICATION = const PE_SUBSYSTEM_EFI_APPLICATION,
    PE_NX_COMPATIBLE = const PE_NX_COMPATIBLE,
    PE_SECTION_CODE = const PE_SECTION_CODE,
    PE_SECTION_DATA = const PE_SECTION_DATA,
    EFI_LOAD_ERROR = const EFI_LOAD_ERROR,
    SCTLR_MMU_AND_CACHE = const SCTLR_MMU_AND_CACHE,
    MPIDR_AFFINITY = const MPIDR_AFFINITY,
    HCR_EL2 = const HCR_EL2_VALUE,
    HCR_EL2_E2H_BIT = const HCR_EL2_E2H_BIT,
    CPTR_EL2 = const CPTR_EL2,
    CPTR_EL2_E2H = const CPTR_EL2_E2H,
    CNTHCTL_EL2 = const CNTHCTL_EL2_VALUE,
    CNTHCTL_EL2_E2H = const CNTHCTL_EL2_E2H,
    SPSR_EL1H_MASKED = const SPSR_EL1H_MASKED,
    CPACR_FP = const CPACR_FP,
    SCTLR_OFF = const SCTLR_OFF,
    SCTLR_ON = const SCTLR_ON,
    MAIR = const MAIR,
    TCR = const TCR,
    PARANGE_48_BITS = const PARANGE_48_BITS,
    TCR_IPS_SHIFT = const TCR_IPS_SHIFT,
    FINAL_ASID = const memory::FINAL_ASID,
    TTBR_ASID_SHIFT = const TTBR_ASID_SHIFT,
    R_AARCH64_RELATIVE = const R_AARCH64_RELATIVE,
    TABLE = const TABLE,
    DEVICE_BLOCK = const DEVICE_BLOCK,
    NORMAL_BLOCK = const NORMAL_BLOCK,
);

global_asm!(include_str!("memory_routines.s"));

global_asm!(include_str!("vectors.s"), FRAME_SIZE = const size_of::<Exception>());

unsafe extern "Rust" {
    safe fn boot_kernel_main(handover: Handover) -> !;
    safe fn boot_kernel_second_cpu() -> !;
    safe fn boot_kernel_exception(exception: &Exception) -> !;
}

/// Called by the head, once: with the MMU on, the image relocated, bss zero, on the main stack.
///
/// In an EFI application `by_efi` is 1 and `firmware_argument` is unused: bss is in use since
/// [`efi`] ran on the firmware's map.
#[unsafe(no_mangle)]
extern "C" fn boot_rust_entry(firmware_argument: u64, entry_exception_level: u64, by_efi: u64) -> ! {
    memory::install_final_map();
    let (device_tree, acpi_rsdp, efi) = if by_efi == 0 {
        (Some(PhysAddr(firmware_argument)), None, None)
    } else {
        let (tables, efi) = efi::handed_over();
        (tables.device_tree, tables.acpi_rsdp, Some(efi))
    };
    boot_kernel_main(Handover {
        device_tree,
        acpi_rsdp,
        efi,
        entry_exception_level: entry_exception_level as u8,
        image: layout::range(layout::image_start(), layout::image_end()),
        early_heap: layout::range(layout::early_heap_start(), layout::early_heap_end()),
    })
}

/// Called by the head on a second CPU, on its stack and on the final map.
#[unsafe(no_mangle)]
extern "C" fn boot_rust_secondary(context: u64) -> ! {
    secondary::has_come_up(context);
    boot_kernel_second_cpu()
}

/// Called by the vectors with the saved state; changes to it are loaded into the registers after it
/// returns.
///
/// An access to device registers that no device answered has been completed when this returns. The
/// kernel reports any other exception.
#[unsafe(no_mangle)]
extern "C" fn boot_rust_exception(exception: &mut Exception) {
    if !device_access::resume(exception) {
        boot_kernel_exception(exception)
    }
}
