//! What the `acpi` crate reads of real tables, against the same fields taken by hand from where the
//! specifications have them; and tables that the crate would not take as they are.

use addr::PhysAddr;
use firmware::acpi::Tables;
use firmware::{Console, PsciConduit};

use crate::fixtures::ALL;
use crate::machine::{Machine, device, dsdt, host_bridge, mcfg, memory, read_tables, seal};

fn field<const N: usize>(tables: &Tables, signature: &[u8; 4], at: usize) -> [u8; N] {
    *tables.first(*signature).unwrap().bytes[at..].first_chunk().unwrap()
}

#[test]
fn the_crate_says_what_the_bytes_say() {
    for fixture in ALL {
        let tables = fixture.tables();
        let Machine { description, .. } = fixture.read();
        let bridge = description.host_bridges.iter().find(|bridge| bridge.first_bus == 0).unwrap();
        assert_eq!(bridge.ecam.start().0, u64::from_le_bytes(field(&tables, b"MCFG", 44)));
        assert_eq!(bridge.segment, u16::from_le_bytes(field(&tables, b"MCFG", 52)));
        let Some(Console::Pl011(registers)) = description.console else { panic!("{}", fixture.name) };
        assert_eq!(registers.start().0, u64::from_le_bytes(field(&tables, b"SPCR", 44)));
        let conduit = match u16::from_le_bytes(field(&tables, b"FACP", 129)) & 3 {
            1 => Some(PsciConduit::Smc),
            3 => Some(PsciConduit::Hvc),
            _ => None,
        };
        assert_eq!(description.psci, conduit);
    }
}

const ECAM: u64 = 0x40_1000_0000;

/// Tables of a small machine, after `change` has been at each of them.
fn changed(change: impl Fn(&mut Vec<u8>)) -> Machine {
    let nodes = [host_bridge("PCI0", 0, (0, 255)), device("DEV0", "LNRO0005", 0x0a00_0000)];
    let mut memory = memory(&[mcfg(&[(ECAM, 0, 0, 255)])], &dsdt(&nodes));
    for (_, bytes) in memory.0.iter_mut().filter(|(_, bytes)| !bytes.starts_with(b"RSD PTR ")) {
        change(bytes);
        let length = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        seal(bytes, 9);
    }
    let tables = Tables::gather(crate::machine::RSDP, &memory).unwrap();
    assert_eq!(tables.findings(), []);
    read_tables(&tables)
}

#[test]
fn names_that_are_no_text_cost_no_table() {
    let machine = changed(|bytes| bytes[10..24].fill(0xff));
    assert_eq!(machine.description.host_bridges[0].ecam.start(), PhysAddr(ECAM));
    assert_eq!(machine.description.psci, Some(PsciConduit::Hvc));
}

#[test]
fn a_fadt_of_an_older_revision_has_zeros_where_it_ends() {
    let cut = |length: usize| {
        changed(|bytes| {
            if bytes.starts_with(b"FACP") {
                // The narrow field, for a table that ends before the wide one.
                bytes.copy_within(140..144, 40);
                bytes.truncate(length);
            }
        })
    };
    for (length, psci) in [(276, true), (268, true), (244, true), (131, true), (129, false), (116, false)] {
        let Machine { description, .. } = cut(length);
        assert_eq!(description.psci, psci.then_some(PsciConduit::Hvc), "{length}");
        assert_eq!(description.host_bridges.len(), 1, "{length}");
    }
}
