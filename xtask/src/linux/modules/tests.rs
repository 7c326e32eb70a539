use std::fs;

use super::*;

/// An ELF file for arm64 with a section `.modinfo` that has this content.
fn elf(modinfo: &str) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    let (modinfo, names_at) = (modinfo.as_bytes(), 64 + modinfo.len());
    let sections_at = (names_at + NAMES.len()).next_multiple_of(8);
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend([1_u16, 183].map(u16::to_le_bytes).concat()); // ET_REL, EM_AARCH64
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0, 0, sections_at as u64].map(u64::to_le_bytes).concat());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 0, 0, 64, 3, 2].map(u16::to_le_bytes).concat());
    bytes.extend(modinfo);
    bytes.extend(NAMES);
    bytes.resize(sections_at, 0);
    for (name, kind, at, size) in [(0, 0, 0, 0), (1, 1, 64, modinfo.len()), (10, 3, names_at, NAMES.len())] {
        bytes.extend([name as u32, kind].map(u32::to_le_bytes).concat());
        bytes.extend([0, 0, at as u64, size as u64].map(u64::to_le_bytes).concat());
        bytes.extend([0_u32, 0].map(u32::to_le_bytes).concat());
        bytes.extend([1_u64, 0].map(u64::to_le_bytes).concat());
    }
    bytes
}

fn modules(all: &[(&str, &str)]) -> (tempfile::TempDir, Modules) {
    let place = tempfile::tempdir().unwrap();
    for (name, needs) in all {
        let modinfo = format!("license=GPL\0depends={needs}\0name={name}\0");
        fs::write(place.path().join(format!("{name}.ko")), elf(&modinfo)).unwrap();
    }
    let modules = Modules::of(Files::read(place.path()).unwrap());
    (place, modules)
}

fn names(modules: &Modules, wanted: &[&str]) -> Vec<String> {
    modules.in_order(wanted.iter().copied()).unwrap().into_iter().map(|module| module.name).collect()
}

#[test]
fn dependencies_come_first_each_once_and_the_asked_order_is_kept() {
    let (_place, modules) = modules(&[
        ("nvme", "nvme-core"),
        ("nvme-core", "nvme-keyring,nvme-auth"),
        ("nvme-keyring", ""),
        ("nvme-auth", "nvme-keyring"),
        ("virtio-iommu", ""),
    ]);
    assert_eq!(
        names(&modules, &["virtio_iommu", "nvme"]),
        ["virtio_iommu", "nvme_keyring", "nvme_auth", "nvme_core", "nvme"]
    );
    assert_eq!(
        names(&modules, &["nvme-auth", "virtio-iommu", "nvme-auth"]),
        ["nvme_keyring", "nvme_auth", "virtio_iommu"]
    );
}

#[test]
fn a_name_without_a_module_is_built_in_or_absent() {
    let (_place, modules) = modules(&[("virtio-iommu", "virtio")]);
    assert_eq!(names(&modules, &["virtio_pci", "virtio_iommu"]), ["virtio_iommu"]);
}

#[test]
fn modules_that_depend_on_each_other_do_not_loop() {
    let (_place, modules) = modules(&[("a", "b"), ("b", "a")]);
    assert_eq!(names(&modules, &["a"]), ["b", "a"]);
}

#[test]
fn a_file_that_is_not_a_module_is_an_error_with_its_name() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("a.ko"), "text").unwrap();
    let error = Modules::of(Files::read(place.path()).unwrap()).in_order(["a"]).unwrap_err();
    assert!(format!("{error:#}").contains("a.ko is not a module"), "{error:#}");
}

#[test]
fn the_virtio_iommu_comes_before_drivers_and_heavy_modules_only_with_their_devices() {
    let usual = |words: &'static str| super::usual(words.split_whitespace());
    let flat = usual("-device virtio-iommu-pci -device e1000e");
    let at = |name: &str| flat.iter().position(|one| *one == name).unwrap();
    assert!(at("virtio_iommu") < at("virtio_net") && at("virtio_iommu") < at("nvme"));
    assert!(!flat.contains(&"amdgpu"));
    assert_eq!(
        usual("-device ati-vga,romfile= -device kvaser_pci,canbus=c").split_off(flat.len()),
        ["kvaser_pci", "amdgpu"]
    );
}
