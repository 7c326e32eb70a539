//! Gives the `acpi` crate access to copies of tables, and to nothing else.
//!
//! The crate reads memory through a handler, which requires unsafe code. The handler is therefore
//! here, and the crate `firmware` takes tables that are already open. The tests of `firmware`
//! and `cargo xtask check` include this file.

use core::ptr::NonNull;

use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use firmware::acpi::Arena;

/// The memory that the crate can access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a>(&'a Arena);

/// The tables of an arena.
///
/// # Errors
///
/// No such case is known: whatever the crate rejects is corrected when the arena is made.
pub(crate) fn open(arena: &Arena) -> Result<AcpiTables<Shown<'_>>, AcpiError> {
    // SAFETY: An arena has a sound RSDP there. It and the XSDT lead to sound tables in the same arena.
    unsafe { AcpiTables::from_rsdp(Shown(arena), Arena::RSDP) }
}

impl AcpiHandler for Shown<'_> {
    /// # Panics
    ///
    /// If the crate reads outside of the arena: it then follows a pointer that is not from the
    /// arena.
    unsafe fn map_physical_region<T>(&self, address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let Some(bytes) = self.0.bytes_at(address, size.max(size_of::<T>())) else {
            panic!("the acpi crate asks for {size:#x} bytes at {address:#x}, where there is no table");
        };
        let start = NonNull::from(bytes).cast();
        // SAFETY: The arena has that many bytes there, any bytes are a valid `T` of the crate,
        // whose types are all packed, and they do not change while the handler borrows the arena.
        unsafe { PhysicalMapping::new(address, start, size, size, *self) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}
