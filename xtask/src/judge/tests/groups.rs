//! Groups and their regions.

use super::*;

#[test]
fn the_order_of_members_does_not_matter() {
    let mut report = right();
    report.groups[1].devices.reverse();
    assert_eq!(judge_with(EXPECT, report), [""; 0]);
}

#[test]
fn a_missing_group_is_seen() {
    let words =
        ["0000:00:02.0, 0000:00:02.1: expected in group 1 {0000:00:02.0, 0000:00:02.1}, is in no group: own"];
    seen(&words, |report| {
        report.groups.pop();
        report.iommus[0].devices.truncate(1);
        report.devices[2].group = None;
        report.devices[3].group = None;
    });
}

#[test]
fn an_extra_group_is_seen() {
    seen(&["0000:00:03.0: expected in no group, is in group 2 {0000:00:03.0}: own group"], |report| {
        report.groups.push(group(2, &["0000:00:03.0"]));
        report.devices.push(device("0000:00:03.0", Some(2), "own group"));
    });
}

#[test]
fn an_extra_member_and_a_missing_one_are_seen() {
    let words = ["0000:00:02.1: expected in group 1 {", "is in group 0 {0000:00:00.0, 0000:00:02.1}: shares"];
    seen(&words, |report| {
        moved(report, "0000:00:02.1", 0);
        report.devices[3].why = "shares the group of 0000:00:00.0".into();
    });
    seen(&["0000:00:02.0: expected in group 1", "is in group 1 {0000:00:02.0}: own group"], |report| {
        moved(report, "0000:00:02.1", 0);
    });
}

#[test]
fn devices_that_went_the_same_way_are_one_difference_with_each_rule_once() {
    let mut report = right();
    moved(&mut report, "0000:00:02.0", 0);
    moved(&mut report, "0000:00:02.1", 0);
    report.groups.pop();
    report.devices[3].why = "function of a device without ACS".into();
    let found = judge_with(EXPECT, report);
    let lines: Vec<&String> = found.iter().filter(|line| line.starts_with("0000:00:02")).collect();
    assert_eq!(
        lines,
        [
            "0000:00:02.0, 0000:00:02.1: expected in group 1 {0000:00:02.0, 0000:00:02.1}, is in group 0 {0000:00:00.0, \
          0000:00:02.0, 0000:00:02.1}: own group (0000:00:02.0); function of a device without ACS (0000:00:02.1)"
        ]
    );
}

#[test]
fn long_groups_are_shortened() {
    let names: Vec<String> = (0..20).map(|number| format!("0000:00:{number:02x}.0")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = report_of(&[&members[..]]);
    let found = judge_with(EXPECT, report);
    assert!(found.iter().any(|line| line.contains("0000:00:0b.0 and 8 more}")), "{found:#?}");
}

#[test]
fn the_wrong_numbers_are_seen() {
    seen(&["should have number 1, it has 0"], |report| {
        report.groups.swap(0, 1);
        report.groups[0].id = 0;
        report.groups[1].id = 1;
        report.devices[0].group = Some(1);
        report.devices[2].group = Some(0);
        report.devices[3].group = Some(0);
    });
    seen(&["not in the order of numbers"], |report| report.groups.swap(0, 1));
}

#[test]
fn numbers_do_not_matter_where_devices_and_drivers_came_in_another_order() {
    let mut expect = Topology::parse("x", EXPECT).unwrap().expect;
    let mut report = right();
    report.groups.swap(0, 1);
    for (id, group) in (0..).zip(&mut report.groups) {
        group.id = id;
        report.devices.iter_mut().filter(|device| group.devices.contains(&device.name)).for_each(|device| {
            device.group = Some(id);
        });
    }
    let mut judge = |any_numbers| {
        expect.any_numbers = any_numbers;
        differences(&outcome(report.clone()), &expect, None).len()
    };
    assert_eq!((judge(false), judge(true)), (2, 0));
}

#[test]
fn the_wrong_type_is_seen() {
    seen(&["group 1: expected type DMA, is identity"], |report| report.groups[1].kind = GroupType::Identity);
}

#[test]
fn wrong_reserved_regions_are_seen() {
    seen(&["group 0: expected reserved regions {msi 0x8020000-0x8020fff}, is {}"], |report| {
        report.groups[0].reserved_regions.clear();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].end = "0x8020ffe".into();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].kind = "reserved".into();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].start = "nonsense".into();
    });
}

/// Puts a device into another group, in every place where its group is said.
fn moved(report: &mut Report, name: &str, to: usize) {
    report.groups.iter_mut().for_each(|group| group.devices.retain(|member| member != name));
    report.groups[to].devices.push(name.into());
    let id = report.groups[to].id;
    report.devices.iter_mut().filter(|device| device.name == name).for_each(|device| device.group = Some(id));
}
