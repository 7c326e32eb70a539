//! Real tables, damaged: a value or an error, never a panic.
//!
//! A changed byte breaks a table's checksum, so that it only shows that the gate is shut. So each table
//! is changed and sealed again, and then let in.

use firmware::acpi::Tables;

use crate::exercise::{exercise, exercise_tables};
use crate::fixtures::{DEFAULT_BYPASS, Fixture, GICV3, IOMMU, PXB, SMMUV3};
use crate::machine::{Memory, device, dsdt, host_bridge, seal};

/// The tables of a fixture with one replaced by `bytes`, whose checksum is made right.
fn replace(tables: &Tables, name: &str, bytes: &[u8]) -> Tables {
    let mut changed = tables.clone();
    changed.add(&[(name.to_string(), bytes.to_vec())], true);
    changed
}

/// The tables of a fixture; unless the DSDT is the subject, a short one stands in for it.
fn tables_for(fixture: &Fixture, signature: &[u8; 4]) -> Tables {
    let tables = fixture.tables();
    if signature == b"DSDT" {
        return tables;
    }
    let nodes = [host_bridge("PCI0", 0, (0, 255)), device("DEV0", "LNRO0005", 0x0a00_0000)];
    replace(&tables, "DSDT", &dsdt(&nodes))
}

/// Changes each byte behind the signature of the tables with this name, in some ways.
fn change(fixture: &Fixture, signature: &[u8; 4], step: usize) {
    let tables = tables_for(fixture, signature);
    let original = tables.first(*signature).unwrap().bytes.clone();
    let mut bytes = original.clone();
    for at in (4..original.len()).step_by(step).filter(|at| *at != 9) {
        for changed in [original[at] ^ 1, original[at] ^ 0x80, 0, 0xff] {
            if changed != original[at] {
                bytes[at] = changed;
                seal(&mut bytes, 9);
                exercise_tables(&replace(&tables, fixture.name, &bytes));
            }
        }
        bytes.copy_from_slice(&original);
    }
}

/// Cuts the table after each of its bytes; its length says so.
fn cut(fixture: &Fixture, signature: &[u8; 4], step: usize) {
    let tables = tables_for(fixture, signature);
    let original = &tables.first(*signature).unwrap().bytes;
    for length in (0..original.len()).step_by(step) {
        let mut bytes = original[..length].to_vec();
        exercise_tables(&replace(&tables, fixture.name, &bytes));
        if length >= 10 {
            bytes[4..8].copy_from_slice(&(length as u32).to_le_bytes());
            seal(&mut bytes, 9);
            exercise_tables(&replace(&tables, fixture.name, &bytes));
        }
    }
}

#[test]
fn each_changed_byte_of_a_small_table_gives_a_value_or_a_finding() {
    for fixture in [IOMMU, PXB, DEFAULT_BYPASS] {
        change(&fixture, b"VIOT", 1);
    }
    for (fixture, signature) in
        [(SMMUV3, b"IORT"), (GICV3, b"IORT"), (IOMMU, b"MCFG"), (IOMMU, b"SPCR"), (GICV3, b"APIC")]
    {
        change(&fixture, signature, 1);
    }
    change(&IOMMU, b"FACP", 3);
}

#[test]
fn each_cut_of_a_small_table_gives_a_value_or_a_finding() {
    for fixture in [IOMMU, PXB, SMMUV3, GICV3] {
        for signature in [b"IORT", b"VIOT", b"MCFG", b"SPCR", b"APIC", b"FACP"] {
            if fixture.tables().first(*signature).is_some() {
                cut(&fixture, signature, 1);
            }
        }
    }
}

#[test]
fn changed_bytes_and_cuts_of_a_dsdt_too() {
    change(&PXB, b"DSDT", 43);
    cut(&PXB, b"DSDT", 61);
}

#[test]
fn each_changed_byte_of_all_memory_gives_a_value_or_an_error() {
    let loaded = IOMMU.load();
    let chunks = loaded.blobs.iter().map(|blob| (blob.range.start().0, blob.bytes.clone()));
    let mut memory = Memory(chunks.collect());
    assert!(exercise(&memory, loaded.rsdp));
    for chunk in 0..memory.0.len() {
        let step = if chunk == 0 { 1 } else { 19 };
        for at in (0..memory.0[chunk].1.len()).step_by(step) {
            let byte = memory.0[chunk].1[at];
            memory.0[chunk].1[at] = byte ^ 0x81;
            exercise(&memory, loaded.rsdp);
            memory.0[chunk].1[at] = byte;
        }
    }
}

#[test]
fn memory_that_ends_early_gives_a_value_or_an_error() {
    let loaded = IOMMU.load();
    let whole: Vec<_> = loaded.blobs.iter().map(|blob| (blob.range.start().0, blob.bytes.clone())).collect();
    for (chunk, step) in [(0, 1), (1, 31)] {
        for length in (0..whole[chunk].1.len()).step_by(step) {
            let mut memory = Memory(whole.clone());
            memory.0[chunk].1.truncate(length);
            exercise(&memory, loaded.rsdp);
        }
    }
}
