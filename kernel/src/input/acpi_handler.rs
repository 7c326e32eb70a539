//! Lets the `acpi` crate at copies of tables, and at nothing else.
//!
//! The crate reads memory through a handler, which takes unsafe code. So it is here, and the crate `firmware`, which
//! does the reading, is given tables that are open. The tests of `firmware` include this file.

use core::ptr::NonNull;

use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use firmware::acpi::Arena;

/// The memory that the crate is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a>(&'a Arena);

/// The tables of an arena.
///
/// # Errors
///
/// None that is known: what the crate refuses is put right when an arena is made.
pub(crate) fn open(arena: &Arena) -> Result<AcpiTables<Shown<'_>>, AcpiError> {
    // SAFETY: An arena has a sound RSDP there. It and the XSDT lead to sound tables in the same arena.
    unsafe { AcpiTables::from_rsdp(Shown(arena), Arena::RSDP) }
}

impl AcpiHandler for Shown<'_> {
    /// # Panics
    ///
    /// If the crate asks for what is not in the arena: it then follows a pointer that is none of the arena's.
    unsafe fn map_physical_region<T>(&self, address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let Some(bytes) = self.0.bytes_at(address, size.max(size_of::<T>())) else {
            panic!("the acpi crate asks for {size:#x} bytes at {address:#x}, where there is no table");
        };
        let start = NonNull::from(bytes).cast();
        // SAFETY: As many bytes are there, any bytes are a `T` of the crate, which are all packed, and nobody
        // changes them while the handler borrows the arena.
        unsafe { PhysicalMapping::new(address, start, size, size, *self) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}
