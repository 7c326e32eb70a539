//! Instances, and what each translates.

use super::*;

#[test]
fn a_missing_or_another_iommu_is_seen() {
    seen(&["IOMMUs: expected {0000:00:01.0}, is {}"], |report| report.iommus.clear());
    seen(&["IOMMUs: expected"], |report| report.iommus[0].name = "0000:00:07.0".into());
}

const TWO_INSTANCES: &str = r#"
probes = "x"
[expect]
groups = [["0000:00:00.0"], ["0000:00:02.0", "0000:00:02.1"]]
without = { "0000:00:01.0" = "is the IOMMU" }
iommus = ["0000:00:01.0", "mmio"]
[expect.translated."0000:00:01.0"]
devices = ["0000:00:00.0", "0000:00:02.0"]
reserved = ["0x8020000 0x8020fff msi"]
[expect.translated.mmio]
devices = ["0000:00:02.0", "0000:00:02.1"]
reserved = ["0x8000000 0x80fffff msi", "0x8020000 0x8020fff reserved"]
"#;

/// The report that [`TWO_INSTANCES`] expects: group 1 is behind both.
fn two_instances() -> Report {
    let mut report = right();
    let region = |start: &str, end: &str, kind: &str| ReservedRegion {
        start: start.into(),
        end: end.into(),
        kind: kind.into(),
    };
    report.groups[1].reserved_regions =
        vec![region("0x8000000", "0x80fffff", "msi"), region("0x8020000", "0x8020fff", "reserved")];
    report.iommus[0].devices.pop();
    let devices = ["0000:00:02.0", "0000:00:02.1"].map(String::from).into();
    report.iommus.push(Iommu { name: "mmio".into(), devices, ..report.iommus[0].clone() });
    report
}

#[test]
fn each_instance_has_its_own_devices_and_regions() {
    assert_eq!(judge_with(TWO_INSTANCES, two_instances()), [""; 0]);
    let broken = |break_it: fn(&mut Report)| {
        let mut report = two_instances();
        break_it(&mut report);
        judge_with(TWO_INSTANCES, report).join("; ")
    };
    let found = broken(|report| report.iommus[1].devices.push("0000:00:00.0".into()));
    assert!(found.contains("translated by mmio: expected {0000:00:02.0, 0000:00:02.1}"), "{found}");
    let found = broken(|report| drop(report.iommus.pop()));
    assert!(found.contains("translated by mmio") && found.contains("is {}"), "{found}");
    let found = broken(|report| report.iommus.swap(0, 1));
    assert!(found.contains("IOMMUs: expected {0000:00:01.0, mmio}"), "{found}");
    let found = broken(|report| report.groups[0].reserved_regions[0].start = "0x8000000".into());
    assert!(found.contains("group 0: expected reserved regions {msi 0x8020000-0x8020fff}"), "{found}");
    let found = broken(|report| drop(report.groups[1].reserved_regions.pop()));
    assert!(found.contains("group 1: expected reserved regions"), "{found}");
}
