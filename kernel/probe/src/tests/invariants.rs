//! Each invariant, broken by hand, is seen: a check that cannot fail would prove nothing.

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::activity::{Deferred, Until};
use crate::table::device::DmaState;
use crate::*;

struct Line;

impl Bus for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn input_ids(&self, _: Unit) -> InputIds {
        InputIds::Node
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        Some(FwNode(unit.0))
    }

    /// Units 1 and 2 cannot be isolated from each other.
    fn grouping(&self, unit: Unit) -> Grouping {
        Grouping { leader: Unit(if unit.0 == 2 { 1 } else { unit.0 }), why: String::new() }
    }
}

struct Map;

impl FirmwareMap for Map {
    fn translate(&self, at: FwNode, _: &InputIds) -> Result<Translation, MapError> {
        if at.0 == 0 {
            return Ok(Translation::Nowhere(Untranslated::NotInMap));
        }
        let (iommu, endpoint) = (FwNode(0), EndpointId(at.0));
        Ok(Translation::Endpoints(vec![Reference { iommu, endpoint, input: None, source: "test" }]))
    }

    fn name(&self, node: FwNode) -> String {
        node.0.to_string()
    }
}

struct Yes(u32);

impl IommuOps for Yes {
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        Ok(Accepted { endpoints: endpoints.to_vec(), ..Accepted::default() })
    }

    fn alloc_domain(&mut self, _: DomainKind) -> Result<DomainHandle, Refusal> {
        self.0 += 1;
        Ok(DomainHandle(self.0))
    }

    fn free_domain(&mut self, _: DomainHandle) {}

    fn attach(&mut self, _: DomainHandle, _: EndpointId) -> Result<(), Refusal> {
        Ok(())
    }

    fn detach(&mut self, _: DomainHandle, _: EndpointId) -> Result<(), Refusal> {
        Ok(())
    }

    fn map(&mut self, _: DomainHandle, _: Range<Iova>, _: PhysAddr, _: Prot) -> Result<(), Refusal> {
        Ok(())
    }

    fn unmap(&mut self, _: DomainHandle, _: Range<Iova>) -> Result<(), Refusal> {
        Ok(())
    }

    fn granule(&self) -> u64 {
        4096
    }

    fn deferred_flush(&self) -> bool {
        true
    }
}

struct Any;

impl Driver<u32> for Any {
    fn name(&self) -> &'static str {
        "any"
    }

    fn matches(&self, _: &u32) -> bool {
        true
    }

    fn bind(&mut self, device: &u32, _: &DmaClaim) -> Result<Provides, BindError> {
        Ok(if *device == 0 { Provides::Iommu(Box::new(Yes(0))) } else { Provides::Nothing })
    }
}

/// Unit 0 is the IOMMU; 1 and 2 share a group; 3 has its own.
fn machine() -> (Core<u32>, Vec<DeviceId>) {
    let mut core = Core::new(Path::Fixed, Policy::default(), Box::new(Map));
    let bus = core.add_bus(Box::new(Line));
    let devices = (0..4).map(|unit| {
        let (name, node) = (unit.to_string(), Some(FwNode(unit)));
        core.add_device(bus, NewDevice { unit: Unit(unit), name, node, enabled: true, handle: unit })
    });
    let devices: Vec<DeviceId> = devices.collect();
    core.register_driver(Box::new(Any));
    core.settle();
    assert_eq!(broken(&core), Vec::<&str>::new());
    assert_eq!(core.groups().count(), 2);
    (core, devices)
}

fn broken(core: &Core<u32>) -> Vec<&'static str> {
    core.invariants().into_iter().filter(|verdict| verdict.broken_by.is_some()).map(|v| v.id).collect()
}

/// Breaks the machine by `defect` and says which invariants are then broken.
fn after(defect: impl FnOnce(&mut Core<u32>, &[DeviceId])) -> Vec<&'static str> {
    let (mut core, devices) = machine();
    defect(&mut core, &devices);
    core.check_at_rest();
    broken(&core)
}

fn membership_of(core: &mut Core<u32>, device: DeviceId) -> &mut Membership {
    let DmaState::Grouped(membership) = &mut core.device_mut(device).dma else { panic!("it is grouped") };
    membership
}

#[test]
fn i1_sees_a_class_in_two_groups() {
    let broken = after(|core, devices| membership_of(core, devices[2]).group = GroupId(1));
    assert!(broken.contains(&"I1"), "{broken:?}");
}

#[test]
fn i2_sees_a_device_that_waits_for_an_iommu_that_is_ready() {
    let broken = after(|core, devices| {
        core.leave_group(devices[3]);
        core.device_mut(devices[3]).dma = DmaState::Waiting(vec![FwNode(0)]);
    });
    assert!(broken.contains(&"I2"), "{broken:?}");
}

#[test]
fn i2_sees_a_device_that_was_never_probed() {
    let broken = after(|core, devices| core.leave_group(devices[3]));
    assert!(broken.contains(&"I2"), "{broken:?}");
}

#[test]
fn i3_sees_a_device_that_is_grouped_under_its_driver() {
    let broken = after(|core, devices| {
        core.leave_group(devices[3]);
        let endpoints = vec![EndpointId(3)];
        let target = crate::phase1::resolve::Target { instance: InstanceId(0), endpoints, source: "test" };
        core.join(devices[3], &[target], Trigger::Bind).map(drop).unwrap();
    });
    assert!(broken.contains(&"I3"), "{broken:?}");
}

#[test]
fn i4_sees_an_iommu_behind_itself() {
    let broken = after(|core, devices| {
        let endpoints = vec![EndpointId(0)];
        let target = crate::phase1::resolve::Target { instance: InstanceId(0), endpoints, source: "test" };
        core.join(devices[0], &[target], Trigger::Bind).map(drop).unwrap();
    });
    assert!(broken.contains(&"I4"), "{broken:?}");
}

#[test]
fn i6_sees_an_endpoint_in_another_domain() {
    let broken = after(|core, _| {
        let attachment = core.instance_mut(InstanceId(0)).endpoints.get_mut(&EndpointId(3)).unwrap();
        attachment.domain = Some(DomainHandle(99));
    });
    assert_eq!(broken, ["I6"]);
}

#[test]
fn i6_sees_an_endpoint_that_is_not_attached() {
    let broken = after(|core, _| {
        core.instance_mut(InstanceId(0)).endpoints.get_mut(&EndpointId(2)).unwrap().domain = None;
    });
    assert_eq!(broken, ["I6"]);
}

#[test]
fn i7_sees_a_number_that_was_passed_over() {
    let broken = after(|core, _| core.groups.pass_over_a_number());
    assert_eq!(broken, ["I7"]);
}

#[test]
fn i8_sees_an_owner_too_many() {
    let broken = after(|core, _| core.groups.get_mut(GroupId(0)).owners += 1);
    assert_eq!(broken, ["I8"]);
}

#[test]
fn i9_sees_what_a_device_without_a_group_left_at_the_iommu() {
    let broken = after(|core, _| {
        core.instance_mut(InstanceId(0)).endpoints.get_mut(&EndpointId(3)).unwrap().users += 1;
    });
    assert_eq!(broken, ["I9"]);
}

#[test]
fn i10_sees_two_groups_that_share_an_endpoint() {
    let broken = after(|core, devices| {
        membership_of(core, devices[3]).fwspecs[0].endpoints = vec![EndpointId(1)];
    });
    assert!(broken.contains(&"I10"), "{broken:?}");
}

#[test]
fn i11_sees_a_bind_that_waits_for_an_iommu_that_is_ready() {
    let broken = after(|core, devices| {
        core.deferred.push(Deferred { device: devices[3], until: Until::Ready(vec![FwNode(0)]) });
    });
    assert_eq!(broken, ["I11"]);
}

#[test]
fn i11_sees_an_iommu_that_goes_before_its_users() {
    let broken = after(|core, _| core.check_unreferenced(InstanceId(0)));
    assert_eq!(broken, ["I11"]);
}
