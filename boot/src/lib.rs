//! First instruction to Rust: image head, exception levels, page tables, exceptions.
//!
//! `head.s` is the first code that runs. It drops to EL1, turns the MMU and the caches on with a
//! map of a few large blocks, relocates the image and calls Rust, which makes the final map: code
//! executable and not writable, constants not writable, nothing else executable, a guard page below
//! each stack, and nothing at address 0. Then [`entry!`]'s function runs, with a [`Handover`].
//!
//! The same file is an EFI application: [`efi`] exits boot services first; the rest is the same.
//!
//! The map is the identity: virtual and physical addresses are equal. [`memory::map`] extends it;
//! nothing is ever unmapped or mapped differently.
//!
//! `memory_routines.s` replaces `memcpy`, `memmove` and `memset` of `compiler_builtins`; the full image
//! tests them.
//!
//! One CPU runs until it starts a second one ([`secondary`]). Interrupts stay masked; everything polls.
//!
//! The arithmetic of page tables ([`page_table`]) and of the firmware's memory map is tested on the
//! host: `cargo test -p boot`.

#![no_std]

#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(target_os = "none")]
mod device_access;
pub mod efi;
pub mod exception;
#[cfg(target_os = "none")]
pub mod guarded;
#[cfg(target_os = "none")]
mod head;
#[cfg(target_os = "none")]
mod layout;
#[cfg(any(target_os = "none", test))]
mod load_store;
#[cfg(target_os = "none")]
pub mod memory;
pub mod page_table;
#[cfg(target_os = "none")]
pub mod secondary;
#[cfg(any(target_os = "none", test))]
pub mod unanswered;

use addr::{PhysAddr, Range};

pub use efi::Efi;

/// The argument of the kernel's main function: everything known before firmware's description is
/// read.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    /// Address of a device tree blob, unchecked: `x0` at entry (0 if there is none), or from an EFI configuration table.
    pub device_tree: Option<PhysAddr>,
    /// Address of the root pointer of ACPI tables (ACPI 6.5, section 5.2.5), of revision 2 or above, unchecked, from an
    /// EFI configuration table.
    pub acpi_rsdp: Option<PhysAddr>,
    /// Further data from EFI firmware; `None` if the image was entered by the Linux boot protocol.
    pub efi: Option<Efi>,
    /// The exception level at which the image was entered: 1 or 2. Now it is 1.
    pub entry_exception_level: u8,
    /// All memory that belongs to the image, the early heap included.
    pub image: Range<PhysAddr>,
    /// Memory for the first heap, inside of `image`, mapped, contents undefined. Handed over once.
    pub early_heap: Range<PhysAddr>,
}

/// Sets the kernel's main function, `fn(Handover) -> !`; the function that a second CPU runs if one
/// is started, `fn() -> !`; and the handler of unexpected exceptions, `fn(&Exception) -> !`.
///
/// The third runs on a stack of its own, also when the main stack has overflowed. If it causes an
/// exception itself it is called once more, on a third stack; an exception in that call stops the CPU.
#[macro_export]
macro_rules! entry {
    ($main:path, $second:path, $exception:path) => {
        #[unsafe(no_mangle)]
        fn boot_kernel_main(handover: $crate::Handover) -> ! {
            let main: fn($crate::Handover) -> ! = $main;
            main(handover)
        }

        #[unsafe(no_mangle)]
        fn boot_kernel_second_cpu() -> ! {
            let main: fn() -> ! = $second;
            main()
        }

        #[unsafe(no_mangle)]
        fn boot_kernel_exception(exception: &$crate::exception::Exception) -> ! {
            let report: fn(&$crate::exception::Exception) -> ! = $exception;
            report(exception)
        }
    };
}
