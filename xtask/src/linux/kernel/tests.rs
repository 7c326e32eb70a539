use std::io::Write as _;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn image() -> Vec<u8> {
    let mut image = vec![0x4d, 0x5a];
    image.resize(MAGIC_AT, 0);
    image.extend(MAGIC);
    image.extend([7; 64]);
    image
}

/// An EFI image that unpacks itself.
fn zboot(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"MZ\0\0zimg".to_vec();
    bytes.extend(128_u32.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.resize(128, 0);
    bytes.extend(payload);
    bytes.extend([0xff; 16]);
    bytes
}

#[test]
fn every_form_of_a_kernel_becomes_its_image() {
    let zstd: &[u8] =
        &ruzstd::encoding::compress_to_vec(&image()[..], ruzstd::encoding::CompressionLevel::Fastest);
    for form in [
        image(),
        gzip(&image()),
        zboot(&gzip(&image())),
        gzip(&zboot(&gzip(&image()))),
        zboot(zstd),
        zboot(&image()),
    ] {
        assert_eq!(plain_image(form).unwrap(), image());
    }
}

#[test]
fn what_is_not_an_arm64_kernel_is_said_to_be_what_it_is() {
    let mut x86 = vec![0; 0x300];
    x86[0x202..0x206].copy_from_slice(b"HdrS");
    for (bytes, words) in [
        (b"\x7fELF\x02\x01\x01".to_vec(), "arch/arm64/boot/Image"),
        (x86, "x86"),
        (b"text".to_vec(), "not an arm64 kernel"),
        (Vec::new(), "not an arm64 kernel"),
        (b"BZh91AY".to_vec(), "bzip2"),
        (zboot(b"no kernel"), "the zboot payload is not an arm64 Image"),
        (zboot(&gzip(&image()))[..140].to_vec(), "cut"),
        (gzip(&image())[..20].to_vec(), "damaged"),
    ] {
        let error = format!("{:#}", plain_image(bytes).unwrap_err());
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn modules_come_from_the_build_tree_of_the_image_unless_a_place_is_named() {
    let tree = tempfile::tempdir().unwrap();
    let boot = tree.path().join("arch/arm64/boot");
    fs::create_dir_all(&boot).unwrap();
    fs::create_dir_all(tree.path().join("drivers/iommu")).unwrap();
    fs::write(boot.join("Image"), image()).unwrap();
    fs::write(tree.path().join("drivers/iommu/virtio-iommu.ko"), "").unwrap();
    let count = |places: &[PathBuf]| UserKernel::read(&boot.join("Image"), places).unwrap().modules.count();
    assert_eq!(count(&[]), 1);
    assert_eq!(count(std::slice::from_ref(&boot)), 0);
    fs::write(tree.path().join("Image"), image()).unwrap();
    assert_eq!(UserKernel::read(&tree.path().join("Image"), &[]).unwrap().modules.count(), 0);
}

#[test]
fn a_directory_with_several_kernels_names_them() {
    let place = tempfile::tempdir().unwrap();
    let error = format!("{:#}", UserKernel::read(place.path(), &[]).unwrap_err());
    assert!(error.contains("no kernel in it"), "{error}");
    for name in ["vmlinuz-1", "vmlinuz-2"] {
        fs::write(place.path().join(name), image()).unwrap();
    }
    let error = format!("{:#}", UserKernel::read(place.path(), &[]).unwrap_err());
    assert!(error.contains("vmlinuz-1, vmlinuz-2"), "{error}");
}
