//! The directory of fw_cfg.

use firmware::acpi::fw_cfg::{DirectoryError, ENTRY_SIZE, File, directory, directory_size};

const REAL: &[u8] = include_bytes!("../fixtures/acpi/iommu.directory");

#[test]
fn a_real_directory_names_the_three_files() {
    let files = directory(REAL).unwrap();
    assert_eq!(directory_size(REAL), Ok(REAL.len()));
    let size = |name| files.iter().find(|file| file.name == name).map(|file| file.size);
    assert_eq!(size("etc/acpi/rsdp"), Some(36));
    assert_eq!(size("etc/acpi/tables"), Some(0x2_0000));
    assert_eq!(size("etc/table-loader"), Some(3328));
    assert!(files.iter().all(|file| file.key >= 0x20));
}

#[test]
fn every_prefix_of_a_directory_is_an_error() {
    for length in 0..REAL.len() {
        assert!(matches!(directory(&REAL[..length]), Err(DirectoryError::Cut { .. })), "{length:#x}");
    }
}

fn entry(size: u32, key: u16, name: &[u8]) -> Vec<u8> {
    let mut bytes =
        [&1u32.to_be_bytes()[..], &size.to_be_bytes(), &key.to_be_bytes(), &[0, 0], name].concat();
    bytes.resize(4 + ENTRY_SIZE, 0);
    bytes
}

#[test]
fn numbers_are_big_endian() {
    let files = directory(&entry(0x1_0203, 0x405, b"a")).unwrap();
    assert_eq!(files, [File { name: "a".into(), key: 0x405, size: 0x1_0203 }]);
}

#[test]
fn a_name_must_be_text_and_end() {
    assert!(directory(&entry(1, 0x20, &[b'a'; 55])).is_ok());
    for name in [&[b'a'; 56][..], b"", b"\xff\xfe"] {
        assert_eq!(
            directory(&entry(1, 0x20, name)),
            Err(DirectoryError::Name { entry: 0, at: 12 }),
            "{name:?}"
        );
    }
}

#[test]
fn a_count_that_cannot_be_is_refused_before_anything_is_read() {
    assert_eq!(directory_size(&[0xff; 4]), Err(DirectoryError::Count { count: u32::MAX }));
    assert_eq!(directory_size(&0x3fe1u32.to_be_bytes()), Err(DirectoryError::Count { count: 0x3fe1 }));
    assert!(directory_size(&0x3fe0u32.to_be_bytes()).is_ok());
}
