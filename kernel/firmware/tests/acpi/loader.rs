//! The table loader: real scripts, and every field wrong once.

use std::collections::BTreeMap;

use addr::{PhysAddr, Range};
use firmware::acpi::table_loader::{Loaded, LoaderError, LoaderFault, TableSource, Zone, run};

use crate::fixtures::{ALL, Fixture, IOMMU, PLAIN};

/// Files, and memory that is given out from an address on.
pub(crate) struct Files {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) next: u64,
}

impl Files {
    pub(crate) fn of(fixture: &Fixture) -> Self {
        let files = [("etc/acpi/rsdp", fixture.rsdp), ("etc/acpi/tables", fixture.tables)];
        Self { files: files.map(|(name, bytes)| (name.into(), bytes.to_vec())).into(), next: 0x4100_0000 }
    }
}

impl TableSource for Files {
    fn file(&mut self, name: &str) -> Option<Vec<u8>> {
        self.files.get(name).cloned()
    }

    fn allocate(&mut self, bytes: usize, alignment: u64, _: Zone) -> Option<PhysAddr> {
        let place = self.next.checked_next_multiple_of(alignment)?;
        self.next = place.checked_add(bytes as u64)?;
        Some(PhysAddr(place))
    }
}

/// A record: command, and values at their offsets.
fn record(command: u32, names: &[&str], values: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = command.to_le_bytes().to_vec();
    bytes.resize(128, 0);
    for (number, name) in names.iter().enumerate() {
        bytes[4 + 56 * number..][..name.len()].copy_from_slice(name.as_bytes());
    }
    for (at, value) in values {
        bytes[*at..*at + value.len()].copy_from_slice(value);
    }
    bytes
}

fn allocate(name: &str, alignment: u32, zone: u8) -> Vec<u8> {
    record(1, &[name], &[(60, &alignment.to_le_bytes()), (64, &[zone])])
}

fn pointer(destination: &str, source: &str, offset: u32, size: u8) -> Vec<u8> {
    record(2, &[destination, source], &[(116, &offset.to_le_bytes()), (120, &[size])])
}

fn checksum(name: &str, offset: u32, start: u32, length: u32) -> Vec<u8> {
    let (offset, start, length) = (offset.to_le_bytes(), start.to_le_bytes(), length.to_le_bytes());
    record(3, &[name], &[(60, &offset), (64, &start), (68, &length)])
}

/// Runs records over a file `r` with an RSDP and a file `t` of 32 bytes, counting up from 0.
fn try_records(records: &[Vec<u8>]) -> Result<Loaded, LoaderError> {
    let mut rsdp = b"RSD PTR ".to_vec();
    rsdp.resize(32, 0);
    let files = [("r".into(), rsdp), ("t".into(), (0..32).collect()), ("empty".into(), Vec::new())];
    run(&records.concat(), &mut Files { files: files.into(), next: 0x1_0000 })
}

fn both() -> Vec<Vec<u8>> {
    vec![allocate("r", 16, 2), allocate("t", 64, 1)]
}

fn fault(more: Vec<u8>) -> (&'static str, LoaderFault) {
    match try_records(&[both(), vec![more]].concat()) {
        Err(LoaderError::Record { record: 2, field, fault }) => (field, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn real_scripts_give_sound_tables_at_the_addresses_given() {
    for fixture in ALL {
        let loaded = fixture.load();
        assert_eq!(loaded.blobs.len(), 2, "{}", fixture.name);
        assert_eq!(loaded.rsdp, loaded.blobs[0].range.start());
        assert!(loaded.blobs.iter().all(|blob| blob.range.start() >= PhysAddr(0x4100_0000)));
        let sum = loaded.blobs[0].bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!(sum, 0);
    }
}

#[test]
fn a_pointer_becomes_an_address_and_a_checksum_makes_the_sum_zero() {
    let mut wide = pointer("t", "r", 8, 8);
    let records = [both(), vec![pointer("t", "r", 4, 1)]].concat();
    assert!(matches!(
        try_records(&records),
        Err(LoaderError::Record {
            record: 2,
            field: "pointer",
            fault: LoaderFault::PointerOverflow { size: 1, .. }
        })
    ));
    // Eight bytes that count up are no offset into a file of 32 bytes.
    assert!(matches!(fault(std::mem::take(&mut wide)), ("pointer", LoaderFault::Outside { .. })));
    let loaded =
        try_records(&[both(), vec![pointer("r", "t", 16, 8), checksum("r", 9, 0, 32)]].concat()).unwrap();
    assert_eq!(loaded.rsdp, PhysAddr(0x1_0000));
    assert_eq!(loaded.blobs[1].range, Range::from_size(PhysAddr(0x1_0040), 32).unwrap());
    assert_eq!(loaded.blobs[0].bytes[16..24], 0x1_0040u64.to_le_bytes());
    assert_eq!(loaded.blobs[0].bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
}

#[test]
fn offsets_count_from_the_start_of_the_source_file() {
    let loaded = try_records(&[both(), vec![pointer("t", "t", 1, 4)]].concat());
    // 0x04030201 is outside of the file.
    assert!(loaded.is_err());
    let files = BTreeMap::from([("r".to_string(), [b"RSD PTR ".to_vec(), vec![6, 0, 0, 0]].concat())]);
    let script = [allocate("r", 1, 2), pointer("r", "r", 8, 4)].concat();
    let loaded = run(&script, &mut Files { files, next: 0x1234_5670 }).unwrap();
    assert_eq!(loaded.blobs[0].bytes[8..], 0x1234_5676u32.to_le_bytes());
}

#[test]
fn every_wrong_field_is_an_error_that_names_it() {
    let no_end = "n".repeat(56);
    let outside =
        |name: &str, offset, length| LoaderFault::Outside { name: name.into(), offset, length, size: 32 };
    let cases: Vec<(Vec<u8>, &str, LoaderFault)> = vec![
        (allocate(&no_end, 1, 1), "file", LoaderFault::Name),
        (allocate("", 1, 1), "file", LoaderFault::Name),
        (allocate("x", 1, 1), "file", LoaderFault::NoFile("x".into())),
        (allocate("t", 1, 1), "file", LoaderFault::AllocatedTwice("t".into())),
        (
            allocate("empty", 1, 1),
            "file",
            LoaderFault::FileSize { name: "empty".into(), size: 0, most: 16 << 20 },
        ),
        (allocate("x", 0, 1), "alignment", LoaderFault::Alignment(0)),
        (allocate("x", 24, 1), "alignment", LoaderFault::Alignment(24)),
        (allocate("x", 1 << 21, 1), "alignment", LoaderFault::Alignment(1 << 21)),
        (allocate("x", 1, 0), "zone", LoaderFault::Zone(0)),
        (allocate("x", 1, 3), "zone", LoaderFault::Zone(3)),
        (pointer(&no_end, "t", 0, 8), "destination file", LoaderFault::Name),
        (pointer("x", "t", 0, 8), "destination file", LoaderFault::NotAllocated("x".into())),
        (pointer("t", "x", 0, 8), "source file", LoaderFault::NotAllocated("x".into())),
        (pointer("t", "r", 0, 3), "pointer size", LoaderFault::PointerSize(3)),
        (pointer("t", "r", 0, 0), "pointer size", LoaderFault::PointerSize(0)),
        (pointer("t", "r", 25, 8), "offset", outside("t", 25, 8)),
        (pointer("t", "r", u32::MAX, 8), "offset", outside("t", u32::MAX, 8)),
        (checksum("x", 0, 0, 1), "file", LoaderFault::NotAllocated("x".into())),
        (checksum("t", 32, 0, 32), "offset", outside("t", 32, 1)),
        (checksum("t", 0, 1, 32), "start and length", outside("t", 1, 32)),
        (checksum("t", 0, u32::MAX, u32::MAX), "start and length", outside("t", u32::MAX, u32::MAX)),
        (record(4, &["w", "x"], &[(124, &[8])]), "source file", LoaderFault::NotAllocated("x".into())),
        (record(4, &["w", "t"], &[(124, &[5])]), "pointer size", LoaderFault::PointerSize(5)),
        (record(4, &["w", "t"], &[(120, &[32]), (124, &[8])]), "source offset", outside("t", 32, 1)),
    ];
    for (record, field, expected) in cases {
        assert_eq!(fault(record), (field, expected));
    }
}

#[test]
fn a_write_back_and_an_unknown_command_are_findings() {
    let write = record(4, &["w", "t"], &[(120, &[31]), (124, &[8])]);
    let loaded = try_records(&[both(), vec![write, record(77, &[], &[]), vec![0; 128]]].concat()).unwrap();
    let ids: Vec<_> = loaded.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["table-loader-write-pointer", "table-loader-unknown"]);
}

#[test]
fn a_script_has_whole_records_and_not_too_many() {
    assert_eq!(try_records(&[]), Err(LoaderError::Length { given: 0 }));
    assert_eq!(try_records(&[vec![0; 127]]), Err(LoaderError::Length { given: 127 }));
    assert_eq!(try_records(&[vec![0; 128 * 4097]]), Err(LoaderError::Length { given: 128 * 4097 }));
    assert_eq!(try_records(&[vec![0; 128 * 4096]]), Err(LoaderError::NoRsdp { files: 0 }));
}

#[test]
fn without_an_rsdp_the_script_has_failed() {
    assert_eq!(try_records(&[allocate("t", 1, 1)]), Err(LoaderError::NoRsdp { files: 1 }));
}

/// Gives memory that cannot be right.
struct Liar(Option<PhysAddr>);

impl TableSource for Liar {
    fn file(&mut self, _: &str) -> Option<Vec<u8>> {
        Some(vec![0; 64])
    }

    fn allocate(&mut self, _: usize, _: u64, _: Zone) -> Option<PhysAddr> {
        self.0
    }
}

#[test]
fn memory_that_cannot_be_right_is_an_error() {
    let one = |place| run(&allocate("a", 16, 1), &mut Liar(place));
    let is_place = |result: &Result<_, _>| {
        matches!(result, Err(LoaderError::Record { fault: LoaderFault::Place(_), .. }))
    };
    assert!(matches!(one(None), Err(LoaderError::Record { fault: LoaderFault::NoMemory { .. }, .. })));
    assert!(is_place(&one(Some(PhysAddr(8)))));
    assert!(is_place(&one(Some(PhysAddr(u64::MAX - 15)))));
    let two = [allocate("a", 16, 1), allocate("b", 16, 1)].concat();
    assert!(is_place(&run(&two, &mut Liar(Some(PhysAddr(0x1000))))));
}

#[test]
fn a_cut_script_is_a_value_or_an_error() {
    for records in 0..IOMMU.script.len() / 128 {
        let _ = run(&IOMMU.script[..128 * records], &mut Files::of(&IOMMU));
    }
}

#[test]
fn each_changed_byte_of_a_script_gives_a_value_or_an_error() {
    let mut script = PLAIN.script.to_vec();
    for at in 0..script.len() {
        let byte = script[at];
        for changed in [byte ^ 1, byte ^ 0x80, 0xff] {
            script[at] = changed;
            let _ = run(&script, &mut Files::of(&PLAIN));
        }
        script[at] = byte;
    }
}
