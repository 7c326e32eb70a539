use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A package of Debian with these files.
fn deb(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        data.append_data(&mut header, path, *bytes).unwrap();
    }
    let data = gzip(&data.into_inner().unwrap());
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.xz", b""), ("data.tar.gz", &data)] {
        let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        package.append(&header, bytes).unwrap();
    }
    package.into_inner().unwrap()
}

/// A package of an RPM distribution with these files.
fn rpm(files: &[(&str, &[u8])]) -> Vec<u8> {
    let header = |entries: u32, bytes: u32| {
        let mut header = vec![0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
        header.extend(entries.to_be_bytes());
        header.extend(bytes.to_be_bytes());
        header.resize(16 + 16 * entries as usize + bytes as usize, 0xff);
        header
    };
    let mut package = vec![0xed, 0xab, 0xee, 0xdb];
    package.resize(96, 0);
    package.extend(header(2, 5));
    package.resize(package.len().next_multiple_of(8), 0);
    package.extend(header(3, 7));
    let mut archive = Vec::new();
    for (path, bytes) in files.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let fields = [1, 0o100_644, 0, 0, 1, 0, bytes.len(), 0, 0, 0, 0, path.len() + 1, 0];
        archive.extend(b"070701");
        archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        archive.extend(path.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(*bytes);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    package.extend(gzip(&archive));
    package
}

const FILES: [(&str, &[u8]); 4] = [
    ("./boot/vmlinuz-6.12.95-arm64", b"a kernel"),
    ("./lib/modules/6.12.95/kernel/drivers/iommu/virtio-iommu.ko", b"a module"),
    ("./lib/modules/6.12.95/modules.order", b"a list"),
    ("./usr/share/doc/changelog", b"a text"),
];

#[test]
fn packages_of_both_kinds_give_kernels_and_modules_and_nothing_else() {
    for package in [deb(&FILES), rpm(&FILES)] {
        assert!(is_package(&package));
        let files = Files::of_package(&package).unwrap();
        assert_eq!(files.images().collect::<Vec<_>>(), ["boot/vmlinuz-6.12.95-arm64"]);
        let module = "lib/modules/6.12.95/kernel/drivers/iommu/virtio-iommu.ko";
        assert_eq!(files.modules().collect::<Vec<_>>(), [module]);
        assert_eq!(files.content(module).unwrap(), b"a module");
        assert_eq!(files.0.len(), 2);
    }
}

#[test]
fn a_package_that_is_cut_is_an_error_and_not_a_panic() {
    for package in [deb(&FILES), rpm(&FILES)] {
        let whole = Files::of_package(&package).unwrap().0.len();
        for length in 8..package.len() {
            if let Ok(files) = Files::of_package(&package[..length]) {
                assert!(files.0.len() <= whole);
            }
        }
        assert!(Files::of_package(&package[..package.len() / 2]).is_err());
    }
}

#[test]
fn a_package_with_a_changed_byte_does_not_panic() {
    for package in [deb(&FILES), rpm(&FILES)] {
        for at in 0..package.len() {
            let mut changed = package.clone();
            changed[at] ^= 0x80;
            let _ = Files::of_package(&changed);
        }
    }
}

#[test]
fn a_directory_is_searched_and_packed_modules_are_unpacked_when_they_are_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lib/modules/1/kernel");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("nvme.ko.gz"), gzip(b"a module")).unwrap();
    fs::write(folder.join("nvme.c"), "").unwrap();
    let mut files = Files::read(place.path()).unwrap();
    assert_eq!(files.modules().collect::<Vec<_>>(), ["lib/modules/1/kernel/nvme.ko.gz"]);
    assert_eq!(files.content("lib/modules/1/kernel/nvme.ko.gz").unwrap(), b"a module");
    files.add(Files::of_package(&deb(&FILES)).unwrap());
    assert_eq!((files.images().count(), files.modules().count()), (1, 2));
    assert!(
        Files::read(&folder.join("nvme.c"))
            .unwrap_err()
            .to_string()
            .contains("neither a directory nor a package")
    );
}
