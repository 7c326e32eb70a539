use super::*;
use crate::linux::listing::tests::listing;

/// A grouping with these groups, and these devices without one.
pub(crate) fn grouping(groups: &[&[&str]], without: &[&str], late: &[&str]) -> Grouping {
    let mut grouping = Grouping::default();
    grouping.devices.extend(without.iter().map(|name| ((*name).to_owned(), None)));
    for members in groups {
        let reserved = linux_region("0x0000000008020000 0x0000000008020fff msi").into_iter().collect();
        grouping.add(members.iter().map(|name| (*name).to_owned()).collect(), Kind::Translated, reserved);
    }
    grouping.late = late.iter().map(|name| (*name).to_owned()).collect();
    grouping
}

#[test]
fn a_listing_says_who_is_with_whom() {
    let is = Grouping::of_listing(&listing());
    assert_eq!(is, grouping(&[&["0000:00:02.0"], &["0000:01:00.0"]], &["0000:00:01.0"], &[]));
    assert!(is.differences(&is.clone()).is_empty());
}

#[test]
fn who_moved_where_is_said_once_for_devices_that_moved_together() {
    let fixed = grouping(&[&["a"], &["b"], &["c", "d"]], &["iommu"], &[]);
    let none = grouping(&[], &["a", "b", "c", "d", "iommu"], &[]);
    assert_eq!(
        none.differences(&fixed).lines("fixed"),
        ["a, b: without a group, on fixed alone", "c, d: without a group, on fixed in one group of 2"]
    );
    let joined = grouping(&[&["a", "b"], &["c"]], &["d", "iommu"], &[]);
    assert_eq!(
        joined.differences(&fixed).lines("fixed"),
        [
            "c: alone, on fixed in one group of 2",
            "a, b: in one group of 2, on fixed alone",
            "d: without a group, on fixed in one group of 2"
        ]
    );
    let larger = grouping(&[&["a"], &["b"], &["c", "d", "iommu"]], &[], &[]);
    let moves = larger.differences(&fixed).moves;
    assert_eq!(moves.len(), 3);
    assert_eq!(moves[2].expected, None);
}

#[test]
fn late_devices_types_and_regions_are_differences_too() {
    let fixed = grouping(&[&["a"]], &[], &[]);
    let late = grouping(&[&["a"]], &[], &["a"]);
    assert_eq!(
        late.differences(&fixed).lines("fixed"),
        ["a: grouped only when the driver bound (late probe)"]
    );
    assert_eq!(fixed.differences(&late).lines("x"), ["a: grouped late on x, here in time or never"]);
    let mut other = fixed.clone();
    let group = other.devices.get_mut("a").unwrap().as_mut().unwrap();
    (group.kind, group.reserved) = (Kind::Identity, BTreeSet::new());
    assert_eq!(
        other.differences(&fixed).lines("fixed"),
        [
            "group of a: type identity, expected DMA",
            "group of a: reserved regions {}, expected {msi 0x8020000-0x8020fff}"
        ]
    );
    assert_eq!(Kind::of_linux("DMA-FQ"), Kind::of_linux("DMA"));
}

#[test]
fn a_device_on_one_side_only_is_a_difference() {
    let fixed = grouping(&[&["a"]], &["vf"], &[]);
    let without = grouping(&[&["a"]], &["b"], &[]);
    assert_eq!(
        without.differences(&fixed).lines("fixed"),
        ["b: not in the machine of fixed", "vf: not here, but in the machine of fixed"]
    );
}
