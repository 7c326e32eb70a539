use super::*;

pub(crate) const CONSOLE: &str = "\
[    0.1] Linux version 7.3.4
@@ init
@@ module virtio_iommu
@@ module-failed e1000 errno-19
@@ begin
@@ release 7.3.4+deb13-arm64
@@ table VIOT
@@ table DSDT
@@ driver virtio_iommu
@@ groups
@@ group 1 DMA
@@ region 1 0x0000000008020000 0x0000000008020fff msi
@@ member 1 0000:01:00.0 pci
@@ group 0 DMA
@@ region 0 0x0000000008020000 0x0000000008020fff msi
@@ member 0 0000:00:02.0 pci
@@ function 0000:01:00.0 0x1af4 0x1041 0x020000 1 virtio-pci 0000:00:01.0 - ../../../devices/pci0000:00/0000:00:02.0/0000:01:00.0
@@ function 0000:00:01.0 0x1af4 0x1057 0x00ff00 - virtio-pci - - ../../../devices/pci0000:00/0000:00:01.0
@@ function 0000:00:02.0 0x1b36 0x000c 0x060400 0 pcieport 0000:00:01.0 - ../../../devices/pci0000:00/0000:00:02.0
@@ config 0000:00:02.0 0 361b0c00070510000000040600000100000000000000000000010100f1010000
@@ config 0000:00:02.0 20 00100010f1ff01000000000000000000000000005400000000000000ff010200
@@ config 0000:00:02.0 40 0000000000000000000000000000000000000000104842010080000000000000
@@ config 0000:00:02.0 100 01000115000000000000000000000000000000000000000000000000000000
@@ config 0000:00:02.0 140 000000000000000000000000000000000d0001005f001d00
@@ virtio virtio0 0x0017 virtio_iommu 0000000000000000000000000000000000000000 ../../../devices/pci0000:00/0000:00:01.0/virtio0
@@ iommu 0000:00:01.0 ../../devices/pci0000:00/0000:00:01.0/iommu/0000:00:01.0
@@ translates 0000:00:01.0 0000:01:00.0
@@ translates 0000:00:01.0 0000:00:02.0
@@ log virtio_iommu virtio0: page mask: 0xfffffffffffff000
@@ log pcieport 0000:00:02.0: Adding to iommu group 0
@@ log virtio-pci 0000:01:00.0: Adding to iommu group 1
@@ log Freeing unused kernel memory
@@ end";

/// What a kernel printed on a machine with a port and a device behind it.
pub(crate) fn listing() -> Listing {
    Listing::parse(&CONSOLE.lines().map(String::from).collect::<Vec<_>>())
}

#[test]
fn every_line_of_our_init_is_read() {
    let listing = listing();
    assert_eq!(listing.release, "7.3.4+deb13-arm64");
    assert_eq!(listing.tables, ["DSDT", "VIOT"]);
    assert_eq!(listing.virtio_drivers, ["virtio_iommu"]);
    assert!(listing.has_groups);
    let group = &listing.groups[&1];
    assert_eq!(
        (&*group.kind, &group.regions[..]),
        ("DMA", &["0x0000000008020000 0x0000000008020fff msi".to_owned()][..])
    );
    assert_eq!(group.members, [("0000:01:00.0".to_owned(), "pci".to_owned())]);
    let function = &listing.functions["0000:01:00.0"];
    assert_eq!((&*function.id, &*function.class), ("1af4:1041", "0x020000"));
    assert_eq!((function.group.as_deref(), function.physical.as_deref()), (Some("1"), None));
    assert_eq!(listing.functions["0000:00:02.0"].configuration.len(), 0x158);
    assert_eq!(listing.iommus["0000:00:01.0"].devices, ["0000:00:02.0", "0000:01:00.0"]);
    assert_eq!(listing.log.len(), 4);
    assert_eq!(listing.remarks, ["module-failed e1000 errno-19"]);
}

#[test]
fn lines_that_are_cut_or_strange_are_passed_over() {
    let lines: Vec<String> = CONSOLE.lines().map(String::from).collect();
    for (number, line) in lines.iter().enumerate() {
        for length in 0..line.len() {
            let mut cut = lines.clone();
            cut[number].truncate(length);
            let _ = Listing::parse(&cut);
        }
    }
    let strange = [
        "@@ config 0000:00:02.0 ffffffffffffffff 00",
        "@@ config x 0 zz",
        "@@ group x DMA",
        "@@ member",
        "@@",
    ];
    assert!(Listing::parse(&strange.map(String::from)).groups.is_empty());
}

#[test]
fn an_iommu_is_the_function_or_the_platform_device_in_its_path() {
    let device = |path: &str| Iommu { path: path.into(), devices: Vec::new() }.device().to_owned();
    assert_eq!(device("../../devices/pci0000:00/0000:00:01.0/iommu/0000:00:01.0"), "0000:00:01.0");
    assert_eq!(device("../../devices/platform/a003e00.virtio_mmio/virtio0/iommu/x"), "a003e00.virtio_mmio");
}

#[test]
fn a_release_is_a_version_and_what_a_distribution_adds() {
    assert_eq!((version("7.3.4+deb13-arm64"), version("6.17.0")), ("7.3.4", "6.17.0"));
}
