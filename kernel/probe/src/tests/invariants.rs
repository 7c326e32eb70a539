//! Each invariant, broken by hand, is seen: a check that cannot fail would prove nothing.

use addr::EndpointId;

use super::model::{Machine, Spec, function, iommu};
use crate::check;
use crate::data::dma::{Trigger, Ungrouped};
use crate::data::id::{DeviceId, DomainHandle, FwNode, GroupId, InstanceId};
use crate::data::ownership::{OwnedGroup, Owner};
use crate::data::refusal::JoinError;
use crate::grouping::membership::LeaveCause;
use crate::grouping::ownership;
use crate::grouping::regroup::{drop_member, leave_group};
use crate::grouping::transfer::move_members;
use crate::phase1::join::join;
use crate::phase1::usable::{Join, UsableInstances};
use crate::table::Tables;
use crate::table::bind::Until;

/// The only IOMMU, and its node.
const IOMMU: InstanceId = InstanceId(0);
const NODE: u32 = 100;

/// Devices of the machine that is broken.
struct Devices {
    iommu: DeviceId,
    a: DeviceId,
    b: DeviceId,
    c: DeviceId,
}

/// `v` is the IOMMU; `a` and `b`, endpoints 1 and 2, share group 0; `c`, endpoint 3, has group 1.
fn machine() -> Machine {
    let b = Spec { leader: "a", ..function("b", 2) };
    let specs = vec![iommu("v", NODE), function("a", 1), b, function("c", 3)];
    let mut machine = Machine::new(specs, crate::DomainPolicy::default());
    machine.boot();
    assert_eq!(machine.partition(), [vec!["a", "b"], vec!["c"]]);
    assert_eq!(broken(&machine), Vec::<&str>::new());
    machine
}

fn broken(machine: &Machine) -> Vec<&'static str> {
    let verdicts = machine.core.invariants().into_iter();
    verdicts.filter(|verdict| verdict.broken_by.is_some()).map(|verdict| verdict.id).collect()
}

/// Breaks the machine by `defect` and says which invariants are then broken.
fn after(defect: impl FnOnce(&mut Tables<Spec>, &Devices)) -> Vec<&'static str> {
    let mut machine = machine();
    let [iommu, a, b, c] = ["v", "a", "b", "c"].map(|name| machine.id(name));
    defect(&mut machine.core.tables, &Devices { iommu, a, b, c });
    machine.core.settle();
    broken(&machine)
}

#[test]
fn i1_sees_a_class_in_two_groups() {
    let broken = after(|tables, devices| tables.devices.membership_mut(devices.b).move_to(GroupId(1)));
    assert!(broken.contains(&"I1"), "{broken:?}");
}

#[test]
fn i2_sees_a_device_that_waits_for_an_iommu_that_is_ready() {
    let broken = after(|tables, devices| {
        leave_group(tables, devices.c, LeaveCause::Other);
        tables.devices.set_ungrouped(devices.c, Ungrouped::Waiting(vec![FwNode(NODE)]));
    });
    assert!(broken.contains(&"I2"), "{broken:?}");
}

#[test]
fn i2_sees_a_device_that_was_never_probed() {
    let broken = after(|tables, devices| leave_group(tables, devices.c, LeaveCause::Other));
    assert!(broken.contains(&"I2"), "{broken:?}");
}

#[test]
fn i3_sees_a_device_that_is_grouped_under_its_driver() {
    let broken = after(|tables, devices| {
        leave_group(tables, devices.c, LeaveCause::Other);
        let instances = UsableInstances::forge(devices.c, IOMMU, EndpointId(3));
        join(tables, Join::of(instances, Trigger::Bind)).map(drop).unwrap();
    });
    assert!(broken.contains(&"I3"), "{broken:?}");
}

#[test]
fn i4_sees_an_iommu_behind_itself() {
    let broken = after(|tables, devices| {
        let instances = UsableInstances::forge(devices.iommu, IOMMU, EndpointId(0));
        join(tables, Join::of(instances, Trigger::Bind)).map(drop).unwrap();
    });
    assert!(broken.contains(&"I4"), "{broken:?}");
}

/// The failure of `a` takes `c`, which its IOMMU has not refused, out of its group.
#[test]
fn i5_sees_a_device_that_loses_its_group_to_the_failure_of_another() {
    let broken = after(|tables, devices| {
        let losses = tables.groups.losses();
        leave_group(tables, devices.c, LeaveCause::Other);
        check::others_kept_their_groups(tables, devices.a, losses);
    });
    assert!(broken.contains(&"I5"), "{broken:?}");
}

#[test]
fn i5_allows_a_device_to_leave_the_group_in_which_its_own_iommu_refuses_it() {
    let broken = after(|tables, devices| {
        let losses = tables.groups.losses();
        leave_group(tables, devices.c, LeaveCause::OwnRefusal);
        check::others_kept_their_groups(tables, devices.c, losses);
        tables
            .devices
            .set_ungrouped(devices.c, Ungrouped::Refused(JoinError::MixedDrivers { first: "a", other: "b" }));
    });
    assert_eq!(broken, Vec::<&str>::new());
}

#[test]
fn i6_sees_an_endpoint_in_another_domain() {
    let broken = after(|tables, _| {
        tables.instances.attachment_mut(IOMMU, EndpointId(3)).domain = Some(DomainHandle(99));
    });
    assert_eq!(broken, ["I6"]);
}

#[test]
fn i6_sees_an_endpoint_that_is_not_attached() {
    let broken = after(|tables, _| tables.instances.attachment_mut(IOMMU, EndpointId(2)).domain = None);
    assert_eq!(broken, ["I6"]);
}

#[test]
fn i7_sees_a_number_that_was_passed_over() {
    let broken = after(|tables, _| tables.groups.pass_over_a_number());
    assert_eq!(broken, ["I7"]);
}

#[test]
fn i8_sees_an_owner_too_many() {
    let broken = after(|tables, _| tables.groups.add_owner(Some(GroupId(0))).unwrap());
    assert_eq!(broken, ["I8"]);
}

#[test]
fn i8_sees_a_driver_on_the_default_domain_of_a_claimed_group() {
    let broken = after(|tables, devices| {
        tables.groups.remove_owner(Some(GroupId(1)));
        let owned = ownership::claim(tables, GroupId(1), owner(), drop_member).unwrap();
        assert!(tables.devices[devices.c].driver().is_some());
        drop(owned);
    });
    assert_eq!(broken, ["I8"]);
}

#[test]
fn i8_sees_a_claimed_group_without_an_owner() {
    let broken = claimed(|tables, owned| tables.ownerships.forget(owned.ownership()));
    assert_eq!(broken, ["I8"]);
}

#[test]
fn i8_sees_a_claim_that_was_released_once_too_often() {
    let broken = claimed(|tables, owned| {
        tables.ownerships.remove_claim(owned.ownership());
    });
    assert_eq!(broken, ["I8"]);
}

/// The members of a claimed group can reach what drivers have mapped in the default domain.
#[test]
fn i8_sees_a_claimed_group_on_the_default_domain() {
    let broken = claimed(|tables, owned| {
        let on = tables.groups[GroupId(1)].default_domains().to_vec();
        move_members(tables, &[GroupId(1)], &on, drop_member).unwrap();
        tables.groups.claim(GroupId(1), owned.ownership(), on);
    });
    assert_eq!(broken, ["I8"]);
}

#[test]
fn i6_sees_a_claim_that_moved_no_member() {
    let broken = claimed(|tables, _| {
        let on = tables.groups[GroupId(1)].default_domains().to_vec();
        move_members(tables, &[GroupId(1)], &on, drop_member).unwrap();
    });
    assert_eq!(broken, ["I6"]);
}

/// Unbinds `c`, claims its group, and breaks the machine by `defect`.
fn claimed(defect: impl FnOnce(&mut Tables<Spec>, &OwnedGroup)) -> Vec<&'static str> {
    after(|tables, devices| {
        tables.stop_driver(devices.c);
        let owned = ownership::claim(tables, GroupId(1), owner(), drop_member).unwrap();
        defect(tables, &owned);
    })
}

fn owner() -> Owner {
    Owner("vfio".into())
}

#[test]
fn i9_sees_what_a_device_without_a_group_left_at_the_iommu() {
    let broken = after(|tables, _| tables.instances.attachment_mut(IOMMU, EndpointId(3)).users += 1);
    assert_eq!(broken, ["I9"]);
}

#[test]
fn i10_sees_two_groups_that_share_an_endpoint() {
    let broken = after(|tables, devices| {
        tables.devices.membership_mut(devices.c).forge_endpoints(vec![EndpointId(1)]);
    });
    assert!(broken.contains(&"I10"), "{broken:?}");
}

#[test]
fn i11_sees_a_bind_that_waits_for_an_iommu_that_is_ready() {
    let broken = after(|tables, devices| tables.binds.defer(devices.c, Until::Ready(vec![FwNode(NODE)])));
    assert_eq!(broken, ["I11"]);
}

#[test]
fn i11_sees_an_iommu_that_goes_before_its_users() {
    let mut machine = machine();
    machine.core.tables.unpublish(IOMMU);
    assert_eq!(broken(&machine), ["I11"]);
}
