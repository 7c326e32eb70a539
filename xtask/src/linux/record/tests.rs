use serde_json::Value;

use super::*;
use crate::answer::LinuxAnswer;
use crate::linux::listing::tests::listing;

fn text(varies: Option<Varies>) -> String {
    let about = About { topology: "port", by_tables: true, linux: "7.3.4", qemu: "7.2.22" };
    of_listing(&about, &listing(), varies)
}

#[test]
fn an_answer_has_the_form_of_the_files() {
    assert_eq!(
        text(None),
        r#"{"topology":"port",
"boot":"acpi",
"linux":"7.3.4",
"qemu":"7.2.22",
"acpi_tables":["VIOT"],
"groups":[
{"id":0,"type":"DMA","reserved_regions":["0x0000000008020000 0x0000000008020fff msi"],"devices":[{"bdf":"0000:00:02.0","id":"1b36:000c","class":"0x060400","driver":"pcieport","kind":"root-port","acs_cap":"0x005f","acs_ctrl":"0x001d","iommu":"0000:00:01.0"}]},
{"id":1,"type":"DMA","reserved_regions":["0x0000000008020000 0x0000000008020fff msi"],"devices":[{"bdf":"0000:01:00.0","id":"1af4:1041","class":"0x020000","driver":"virtio-pci","kind":"conventional","behind":"0000:00:02.0","iommu":"0000:00:01.0"}]}
],
"without_group":[
{"bdf":"0000:00:01.0","id":"1af4:1057","class":"0x00ff00","driver":"virtio-pci","kind":"conventional","access_platform":false}
],
"iommus":[
{"name":"0000:00:01.0","at":"0000:00:01.0","devices":["0000:00:02.0","0000:01:00.0"]}
],
"order":["0000:00:02.0=0","0000:01:00.0=1"],
"dmesg":["virtio_iommu virtio0: page mask: 0xfffffffffffff000"]}
"#
    );
}

#[test]
fn it_is_read_back_as_an_answer() {
    let answer: LinuxAnswer = serde_json::from_str(&text(None)).unwrap();
    assert_eq!((answer.groups.len(), answer.without_group.len()), (2, 1));
    let one_of = vec![vec![vec!["0000:00:02.0".to_owned()]], vec![]];
    let varying: LinuxAnswer =
        serde_json::from_str(&text(Some(Varies { why: "chance".into(), one_of }))).unwrap();
    assert_eq!(varying.alternatives().len(), 2);
}

#[test]
fn a_failure_has_its_reason() {
    let about = About { topology: "port", by_tables: false, linux: "7.3.4", qemu: "7.2.22" };
    let json: Value = serde_json::from_str(&of_failure(&about, "panics: no root")).unwrap();
    assert_eq!((json["boot"].as_str(), json["error"].as_str()), (Some("dt"), Some("panics: no root")));
}

#[test]
fn a_line_of_the_log_is_recorded_once_and_a_warning_without_its_cpu_and_process() {
    let log = [
        "virtio_iommu virtio0: page mask: 0xfff",
        "OF: /pcie@10000000: no iommu-map translation for id 0x8 on (null)",
        "WARNING: CPU: 0 PID: 11 at drivers/iommu/iommu.c:2999 iommu_setup_default_domain+0x458/0x580",
        "WARNING: CPU: 1 PID: 12 at drivers/iommu/iommu.c:2999 iommu_setup_default_domain+0x458/0x580",
        "WARNING: CPU: 0 PID: 12 at drivers/gpu/drm/drm.c:1 drm_x+0x1/0x2",
        "OF: /pcie@10000000: no iommu-map translation for id 0x8 on (null)",
        "OF: /pcie@10000000: no iommu-map translation for id 0x10 on (null)",
        "virtio_iommu virtio0: Adding to iommu group 0",
    ];
    let listing = Listing { log: log.map(String::from).into(), ..Listing::default() };
    assert_eq!(
        lines(&listing),
        [
            "virtio_iommu virtio0: page mask: 0xfff",
            "OF: /pcie@10000000: no iommu-map translation for id 0x8 on (null)",
            "WARNING: drivers/iommu/iommu.c:2999 iommu_setup_default_domain+0x458/0x580",
            "OF: /pcie@10000000: no iommu-map translation for id 0x10 on (null)",
        ]
    );
}
