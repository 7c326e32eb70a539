use std::fs;

use super::content::{BindPhase, LogContent};
use super::judgement::Judgement;
use super::{lines, text};
use crate::outcome::Kind;
use crate::output;

/// A log of `xtask/tests/logs`: of real kernels on our machines, without the lines that do not matter here.
fn log(name: &str) -> String {
    fs::read_to_string(output::workspace().join("xtask/tests/logs").join(name)).unwrap()
}

fn content(name: &str) -> LogContent {
    lines::read(&log(name))
}

/// The judgement of a log alone.
fn judged(text: &str) -> Judgement {
    Judgement::of("log", &lines::read(text), None, probe::Path::Fixed)
}

fn violated(judgement: &Judgement) -> Vec<&str> {
    judgement.violates.keys().map(String::as_str).collect()
}

#[test]
fn the_log_of_linux_6_12_looks_like_legacy() {
    let judgement = judged(&log("linux-6.12.95-switch.log"));
    assert_eq!(judgement.like, ["legacy"]);
    assert_eq!((judgement.order.at_bind.len(), judgement.order.before_bind.len()), (6, 0));
    assert_eq!(judgement.groups.len(), 1);
    assert_eq!(judgement.without_group.keys().collect::<Vec<_>>(), ["0000:00:00.0"]);
    assert_eq!((judgement.kind(), violated(&judgement)), (Kind::Fail, vec![]));
    assert!(text::text(&judgement).starts_with("log: Linux version 6.12.95+deb12-arm64\n"));
}

#[test]
fn the_log_of_the_regression_looks_like_it() {
    let judgement = judged(&log("linux-6.16.3-switch.log"));
    assert_eq!((judgement.like.clone(), violated(&judgement)), (vec!["regressed"], vec!["I3"]));
    assert_eq!((judgement.order.late.len(), judgement.groups.len()), (6, 4));
    // With tables, nothing at all is grouped.
    let judgement = judged(&log("linux-6.16.3-switch-acpi.log"));
    assert_eq!((judgement.like.clone(), judgement.groups.len()), (vec!["regressed"], 0));
    assert_eq!(judgement.kind(), Kind::Fail);
    assert_eq!(content("linux-6.16.3-switch-acpi.log").firmware, Some(report::Firmware::UefiAcpi));
}

#[test]
fn the_log_of_linux_7_3_looks_like_upstream_and_passes() {
    let judgement = judged(&log("linux-7.3.4-switch.log"));
    assert_eq!((judgement.like.clone(), violated(&judgement)), (vec!["upstream", "fixed"], vec![]));
    assert_eq!((judgement.kind(), judgement.groups.len()), (Kind::Pass, 5));
    assert_eq!(judgement.iommus.iter().collect::<Vec<_>>(), ["0000:00:01.0"]);
    assert_eq!(judgement.order.before_bind.len(), 7);
}

#[test]
fn groups_that_vanish_are_seen_and_exclude_the_path_that_keeps_all_invariants() {
    let judgement = judged(&log("linux-7.3.4-pcie-pci-bridge.log"));
    assert_eq!((judgement.like.clone(), violated(&judgement)), (vec!["upstream"], vec!["I2", "I5"]));
    assert_eq!((judgement.kind(), judgement.groups.len()), (Kind::Fail, 0));
    assert!(judgement.violates["I5"].contains("0000:00:00.0, 0000:00:02.0, 0000:01:00.0"));
}

#[test]
fn the_text_report_of_our_kernel_is_read_with_its_log() {
    let judgement = judged(&log("iogroups-switch-regressed.log"));
    assert_eq!((judgement.like.clone(), violated(&judgement)), (vec!["regressed"], vec!["I2", "I3"]));
    assert_eq!(judgement.groups.len(), 4);
    let reason = judgement.without_group["0000:00:00.0"].as_deref().unwrap();
    assert!(
        reason.starts_with("not grouped") || reason.contains("while it was being registered"),
        "{reason}"
    );
    assert!(!judgement.without_group.contains_key("0000:00:01.0"));
}

#[test]
fn a_report_as_json_names_its_path_and_its_violations() {
    let mut report = crate::fixture::report_of(&[&["0000:00:02.0"], &["0000:00:03.0", "0000:00:04.0"]]);
    report.run.path = "upstream".into();
    let judgement = judged(&format!("[    0.1] noise\n{}\n", report.to_json_line()));
    assert_eq!((judgement.like.clone(), judgement.groups.len()), (vec!["upstream"], 2));
    assert_eq!(judgement.path.as_deref(), Some("upstream"));
}

#[test]
fn listings_in_the_forms_that_people_paste_are_the_same_groups() {
    let forms = [
        "/sys/kernel/iommu_groups/0/devices/0000:00:01.0\n/sys/kernel/iommu_groups/1/devices/0000:00:02.0\n\
         /sys/kernel/iommu_groups/1/devices/a000000.virtio_mmio\n",
        "IOMMU Group 0:\n\t00:01.0 Ethernet controller [0200]: x [8086:100e]\nIOMMU Group 1:\n\t00:02.0 Bridge [0604]: y\n\
         \ta000000.virtio_mmio\n",
        "IOMMU Group 0 00:01.0 Ethernet controller [0200]: x\nIOMMU Group 1 00:02.0 Bridge [0604]: y\n\
         IOMMU Group 1 a000000.virtio_mmio\n",
    ];
    for form in forms {
        let judgement = judged(form);
        let groups: Vec<Vec<&str>> =
            judgement.groups.iter().map(|members| members.iter().map(String::as_str).collect()).collect();
        assert_eq!(groups, [vec!["0000:00:01.0"], vec!["0000:00:02.0", "a000000.virtio_mmio"]], "{form}");
        assert_eq!(judgement.like.len(), 4, "a listing alone says nothing about the path");
    }
    let lspci = "00:01.0 Ethernet controller: Intel\n\tSubsystem: x\n\tIOMMU group: 7\n\tKernel driver in use: e1000\n\
                 00:02.0 Bridge: y\n\tKernel driver in use: pcieport\n";
    let judgement = judged(lspci);
    assert_eq!(judgement.groups.len(), 1);
    assert_eq!(judgement.without_group.keys().collect::<Vec<_>>(), ["0000:00:02.0"]);
    assert_eq!(judgement.remarks, ["bound to a driver without a group: 0000:00:02.0"]);
}

#[test]
fn a_device_that_joins_after_its_driver_was_bound_is_late_whatever_linux_says() {
    let log = "[    1.0] nvme 0000:04:00.0: enabling device (0000 -> 0002)\n[    2.0] nvme 0000:04:00.0: Adding to iommu group 0\n";
    let content = lines::read(log);
    assert_eq!(content.joins[0].when, BindPhase::After);
    assert_eq!(violated(&judged(log)), ["I3"]);
}

#[test]
fn lines_have_their_stamps_in_many_forms() {
    for stamp in [
        "",
        "[    1.475824] ",
        "<6>[    1.475824] ",
        "[    1.475824][    T1] ",
        "Nov 27 01:02:03 host kernel: [    1.4] ",
    ] {
        let content = lines::read(&format!("{stamp}pci 0000:00:02.0: Adding to iommu group 3\r\n"));
        assert_eq!(content.joins.len(), 1, "{stamp}");
        assert_eq!((content.joins[0].group, content.joins[0].when), (3, BindPhase::Before));
    }
}

#[test]
fn what_is_no_log_shows_nothing_and_no_line_is_too_strange() {
    assert!(!lines::read("hello\nworld: x y\n").shows_groups());
    let whole = log("linux-7.3.4-switch.log") + &log("iogroups-switch-regressed.log");
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..20 {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..bytes.len()));
        text::text(&judged(&String::from_utf8_lossy(&bytes)));
    }
}
