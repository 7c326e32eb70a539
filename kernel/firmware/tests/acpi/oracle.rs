//! The same tables read by the `acpi` crate, which maps nothing but what passed the gate.
//!
//! The crate's interface is unsafe, which `firmware` forbids itself; so it is an oracle here, and may be
//! one in the kernel, over [`Tables::arena`].

use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::Arc;

use acpi::fadt::Fadt;
use acpi::mcfg::Mcfg;
use acpi::spcr::Spcr;
use acpi::{AcpiHandler, AcpiTables, PhysicalMapping};
use addr::PhysAddr;
use firmware::acpi::Tables;

use crate::fixtures::ALL;

/// The copies that the gate made, by the address for which they were made.
#[derive(Clone)]
struct Arena(Arc<Vec<(u64, Vec<u8>)>>);

impl Arena {
    fn of(tables: &Tables) -> Self {
        Self(Arc::new(tables.arena().map(|(at, bytes)| (at.0, bytes.to_vec())).collect()))
    }
}

impl AcpiHandler for Arena {
    unsafe fn map_physical_region<T>(&self, address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let chunk = self.0.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from((address as u64).checked_sub(*start)?).ok()?;
            bytes.get(offset..offset.checked_add(size)?)
        });
        let chunk = chunk.unwrap_or_else(|| panic!("{size:#x} bytes at {address:#x} are in no table"));
        let start = NonNull::from(chunk).cast();
        // SAFETY: the bytes are there and are never changed; the handler in the mapping keeps them alive.
        unsafe { PhysicalMapping::new(address, start, size, size, self.clone()) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

#[test]
fn another_reader_finds_the_same_tables_and_says_the_same_of_them() {
    for fixture in ALL {
        let (tables, machine) = (fixture.tables(), fixture.read());
        let address = usize::try_from(tables.rsdp().0).unwrap();
        // SAFETY: an RSDP that passed the gate is at that address of the arena.
        let theirs = unsafe { AcpiTables::from_rsdp(Arena::of(&tables), address) }.unwrap();

        let ours: BTreeSet<_> =
            tables.all().iter().map(|table| table.name()).filter(|name| name != "DSDT").collect();
        let found: BTreeSet<_> = theirs.headers().map(|header| header.signature.to_string()).collect();
        assert_eq!(ours, found, "{}", fixture.name);

        let mcfg = theirs.find_table::<Mcfg>().unwrap();
        let [entry] = mcfg.entries() else { panic!("{}", fixture.name) };
        let bridge = machine.description.host_bridges.iter().find(|bridge| bridge.first_bus == 0).unwrap();
        assert_eq!(PhysAddr(entry.base_address), bridge.ecam.start());
        assert_eq!({ entry.pci_segment_group }, bridge.segment);

        let fadt = theirs.find_table::<Fadt>().unwrap();
        let dsdt = tables.first(*b"DSDT").unwrap();
        assert_eq!(fadt.dsdt_address().unwrap() as u64, dsdt.at.0);

        let spcr = theirs.find_table::<Spcr>().unwrap();
        let base = spcr.base_address().unwrap().unwrap();
        let Some(firmware::Console::Pl011(registers)) = machine.description.console else { panic!() };
        assert_eq!(base.address, registers.start().0);
    }
}
