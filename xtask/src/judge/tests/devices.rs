//! Devices: without a group, with another driver, missing.

use super::*;

#[test]
fn a_device_without_a_group_needs_the_expected_reason() {
    seen(&["0000:00:01.0", "expected the reason \"is the IOMMU\""], |report| {
        report.devices[1].why = "no IOMMU in this machine".into();
    });
    seen(&["0000:00:01.0", "not one of the closed set"], |report| report.devices[1].why = "no idea".into());
    seen(&["0000:00:01.0 should be listed without a group"], |report| {
        report.devices.remove(1);
    });
    seen(&["0000:00:05.0 is unexpectedly without a group"], |report| {
        report.devices.push(device("0000:00:05.0", None, "bus bypasses"));
    });
}

#[test]
fn the_reasons_of_linux_are_for_its_paths_alone() {
    let expect = EXPECT.replace("is the IOMMU", "not grouped");
    let mut report = right();
    report.devices[1].why = "not grouped: the registration failed".into();
    assert_eq!(judge_with(&expect, report.clone()).len(), 1);
    report.run.path = "upstream".into();
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn another_driver_than_the_one_named_is_seen() {
    let expect = format!("{EXPECT}drivers = {{ \"0000:00:00.0\" = \"-\", \"0000:00:02.0\" = \"nvme\" }}\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()), ["driver of 0000:00:02.0: expected nvme, is -"]);
    report.devices[2].driver = Some("nvme".into());
    assert_eq!(judge_with(&expect, report.clone()), [""; 0]);
    report.devices[0].driver = Some("shpchp".into());
    assert_eq!(judge_with(&expect, report), ["driver of 0000:00:00.0: expected -, is shpchp"]);
    let absent = expect.replace("00:00.0\" = \"-\"", "00:07.0\" = \"-\"");
    assert_eq!(judge_with(&absent, right())[1], "driver of 0000:00:07.0: expected -, is that of no device");
}

#[test]
fn a_device_that_must_be_there_is_missed() {
    let expect = format!("{EXPECT}run.devices = [\"3f000000.pcie\"]\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()), ["3f000000.pcie is not among the devices"]);
    report
        .devices
        .push(Device { bus: "platform".into(), ..device("3f000000.pcie", None, "no IOMMU in this machine") });
    assert_eq!(judge_with(&expect, report), [""; 0]);
}
