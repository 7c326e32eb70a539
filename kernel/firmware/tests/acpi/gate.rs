//! The gate: which tables pass, and what becomes of those that do not.

use addr::PhysAddr;
use firmware::acpi::{AcpiError, Arena, PhysicalMemory, Surroundings, Tables, describe};
use probe::Severity;

use crate::acpi_handler::open;
use crate::machine::{Memory, RSDP, dsdt, mcfg, memory, rsdp, seal, table};

fn ids(tables: &Tables) -> Vec<&'static str> {
    tables.findings().iter().map(|finding| finding.id).collect()
}

fn names(tables: &Tables) -> Vec<String> {
    tables.all().iter().map(|table| table.name()).collect()
}

fn sound() -> Memory {
    memory(&[mcfg(&[(1 << 36, 0, 0, 255)]), table(b"SSDT", &[]), table(b"SSDT", &[1])], &dsdt(&[]))
}

/// The bytes at an address.
fn at(memory: &mut Memory, address: u64) -> &mut Vec<u8> {
    &mut memory.0.iter_mut().find(|(start, _)| *start == address).unwrap().1
}

const XSDT: u64 = 0x2000;

fn gather(memory: &Memory) -> Result<Tables, AcpiError> {
    Tables::gather(RSDP, memory)
}

#[test]
fn sound_tables_pass_in_the_order_of_the_xsdt() {
    let tables = gather(&sound()).unwrap();
    assert_eq!(names(&tables), ["FACP", "MCFG", "SSDT", "SSDT", "DSDT"]);
    assert_eq!(ids(&tables), [] as [&str; 0]);
    assert_eq!(tables.copies().count(), 7);
    for (at, bytes) in tables.copies() {
        assert_eq!(tables.read(at, bytes.len()).as_deref(), Some(bytes));
        assert_eq!(tables.read(at, bytes.len() + 1), None);
    }
}

#[test]
fn a_broken_rsdp_is_an_error_that_says_where() {
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut memory = sound();
        change(at(&mut memory, RSDP.0));
        gather(&memory).unwrap_err()
    };
    assert!(matches!(broken(&|rsdp| rsdp[0] = b'X'), AcpiError::Signature { what: "RSDP", at: RSDP, .. }));
    assert!(matches!(
        broken(&|rsdp| rsdp.truncate(19)),
        AcpiError::Unreadable { what: "RSDP", bytes: 20, .. }
    ));
    assert!(matches!(
        broken(&|rsdp| rsdp.truncate(35)),
        AcpiError::Unreadable { what: "RSDP", bytes: 36, .. }
    ));
    for length in [0u32, 35, 257, u32::MAX] {
        let error = broken(&|rsdp| rsdp[20..24].copy_from_slice(&length.to_le_bytes()));
        assert!(matches!(error, AcpiError::Length { what: "RSDP", .. }), "{error}");
    }
    assert!(matches!(broken(&|bytes| *bytes = rsdp(0)), AcpiError::NoRoot { at: RSDP }));
}

#[test]
fn a_broken_xsdt_is_an_error() {
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut memory = sound();
        change(at(&mut memory, XSDT));
        gather(&memory).unwrap_err()
    };
    assert!(matches!(broken(&|xsdt| xsdt[0] = b'R'), AcpiError::Signature { what: "XSDT", .. }));
    assert!(matches!(broken(&|xsdt| xsdt.truncate(40)), AcpiError::Unreadable { what: "XSDT", .. }));
    assert!(matches!(broken(&|xsdt| xsdt[4] = 35), AcpiError::Length { what: "XSDT", length: 35, .. }));
    let many = table(b"XSDT", &vec![0; 8 * 513]);
    assert!(matches!(broken(&|xsdt| *xsdt = many.clone()), AcpiError::Count { count: 513, .. }));
}

#[test]
fn an_old_rsdp_leads_to_the_rsdt() {
    let mut memory = sound();
    let mut old = b"RSD PTR \0TEST  \0".to_vec();
    old.extend(0x3000u32.to_le_bytes());
    seal(&mut old, 8);
    *at(&mut memory, RSDP.0) = old;
    let entries: Vec<u8> = [0x10_0000u32, 0x20_0000].iter().flat_map(|entry| entry.to_le_bytes()).collect();
    memory.0.push((0x3000, table(b"RSDT", &entries)));
    assert_eq!(names(&gather(&memory).unwrap()), ["FACP", "MCFG", "DSDT"]);
}

#[test]
fn a_table_that_is_broken_is_left_out_with_a_finding() {
    let mcfg_at = 0x20_0000;
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut memory = sound();
        change(at(&mut memory, mcfg_at));
        let tables = gather(&memory).unwrap();
        assert_eq!(names(&tables), ["FACP", "SSDT", "SSDT", "DSDT"]);
        let [finding] = tables.findings() else { panic!("{:?}", tables.findings()) };
        assert!(finding.place.contains("0x200000"), "{finding:?}");
        finding.id
    };
    assert_eq!(broken(&|mcfg| mcfg[4] = 35), "acpi-table-length");
    assert_eq!(broken(&|mcfg| mcfg[7] = 0x80), "acpi-table-length");
    assert_eq!(broken(&|mcfg| mcfg.truncate(mcfg.len() - 1)), "acpi-table-unreadable");
    assert_eq!(broken(&|mcfg| mcfg.truncate(35)), "acpi-table-unreadable");
    // Sound, but shorter than an MCFG can be.
    assert_eq!(broken(&|mcfg| *mcfg = table(b"MCFG", &[0; 7])), "acpi-table-length");
}

#[test]
fn a_wrong_checksum_is_a_finding_and_costs_nothing() {
    for (address, byte) in [(RSDP.0, 10), (RSDP.0, 33), (XSDT, 9), (0x10_0000, 9), (0x20_0000, 40)] {
        let mut memory = sound();
        at(&mut memory, address)[byte] ^= 1;
        let tables = gather(&memory).unwrap();
        assert_eq!(names(&tables), ["FACP", "MCFG", "SSDT", "SSDT", "DSDT"]);
        let [finding] = tables.findings() else { panic!("{address:#x}: {:?}", tables.findings()) };
        assert_eq!((finding.id, finding.severity), ("acpi-table-checksum", Severity::Warning));
        assert!(finding.place.contains(&format!("{address:#x}")), "{finding:?}");
    }
}

#[test]
fn entries_that_repeat_or_lead_nowhere_are_findings() {
    let mut memory = sound();
    let entries = [0x10_0000u64, 0, 0x10_0000, 0x7_0000_0000, 0x20_0000, 0x21_0000];
    let entries: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    *at(&mut memory, XSDT) = table(b"XSDT", &[&entries[..], &[1, 2, 3]].concat());
    memory.0.push((0x21_0000, mcfg(&[])));
    memory.0.retain(|(start, _)| *start != 0x30_0000);
    let tables = gather(&memory).unwrap();
    assert_eq!(names(&tables), ["FACP", "MCFG", "DSDT"]);
    let expected = [
        "acpi-root-length",
        "acpi-entry-null",
        "acpi-entry-repeated",
        "acpi-table-unreadable",
        "acpi-table-duplicate",
    ];
    assert_eq!(ids(&tables), expected);
    let repeated = &tables.findings()[2];
    assert!(repeated.place.ends_with(", entry 2"), "{repeated:?}");
    assert!(repeated.sentence.starts_with("FACP at 0x100000 is already listed"), "{repeated:?}");
}

#[test]
fn a_dsdt_pointer_into_nowhere_is_a_finding() {
    let mut memory = sound();
    let fadt = at(&mut memory, 0x10_0000);
    fadt[140..148].copy_from_slice(&0x7777_0000u64.to_le_bytes());
    seal(fadt, 9);
    let tables = gather(&memory).unwrap();
    assert_eq!(ids(&tables), ["acpi-table-unreadable"]);
    let mut memory = sound();
    let fadt = at(&mut memory, 0x10_0000);
    fadt[140..148].copy_from_slice(&0x20_0000u64.to_le_bytes());
    seal(fadt, 9);
    assert_eq!(ids(&gather(&memory).unwrap()), ["acpi-table-signature"]);
}

#[test]
fn the_narrow_dsdt_pointer_counts_where_the_wide_one_is_missing() {
    let mut memory = sound();
    let mut fadt = vec![0; 116 - 36];
    fadt[4..8].copy_from_slice(&(0x10_0000u32 - 0x8_0000).to_le_bytes());
    *at(&mut memory, 0x10_0000) = table(b"FACP", &fadt);
    assert_eq!(names(&gather(&memory).unwrap()).last().unwrap(), "DSDT");
}

#[test]
fn given_tables_replace_or_come_beside_and_are_checked_like_others() {
    let new = mcfg(&[(2 << 36, 0, 0, 15)]);
    let mut bad = new.clone();
    bad[44] ^= 1;
    let given = [("mine.bin".to_string(), new.clone()), ("bad.bin".to_string(), bad)];
    let mut tables = gather(&sound()).unwrap();
    tables.add(&given, true);
    assert_eq!(names(&tables), ["MCFG", "FACP", "SSDT", "SSDT", "DSDT"]);
    assert_eq!(tables.first(*b"MCFG").unwrap().bytes, new);
    let found: Vec<_> =
        tables.findings().iter().map(|finding| (finding.id, finding.place.as_str())).collect();
    assert_eq!(found, [("acpi-table-checksum", "bad.bin (MCFG)"), ("acpi-table-duplicate", "bad.bin")]);
    let mut tables = gather(&sound()).unwrap();
    tables.add(&given[..1], false);
    assert_eq!(names(&tables), ["MCFG", "FACP", "MCFG", "SSDT", "SSDT", "DSDT"]);
    let places: Vec<_> = tables.all().iter().map(|table| table.at).collect();
    assert!(places.iter().enumerate().all(|(number, at)| !places[..number].contains(at)));
}

#[test]
fn without_ram_there_is_no_description() {
    let tables = gather(&sound()).unwrap();
    let arena = Arena::new(&tables);
    let error = describe(&tables, &open(&arena).unwrap(), Surroundings::default()).unwrap_err();
    assert_eq!(error, AcpiError::NoMemory);
    assert_ne!(RSDP, PhysAddr(0));
}
