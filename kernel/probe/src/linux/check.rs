//! Compares firmware's description with the result on Linux's paths; on `fixed` they agree by
//! construction.

use alloc::format;
use alloc::vec::Vec;

use crate::check::{self, Broken};
use crate::data::dma::{DmaState, Ungrouped};
use crate::data::id::DeviceId;
use crate::linux::state::Linux;
use crate::phase1::resolve::{Resolution, resolve};
use crate::phase1::usable::Asker;
use crate::table::Tables;
use crate::table::device::Device;
use crate::table::instance::Instance;
use crate::table::invariant::Id;

/// Checks the invariants that hold at rest.
pub(crate) fn at_rest<D>(linux: &Linux, tables: &mut Tables<D>) {
    let mut broken = Vec::new();
    let is_ungrouped = |device: &&Device<D>| matches!(device.dma(), DmaState::Ungrouped(_));
    let without: Vec<DeviceId> = tables.devices.iter().filter(is_ungrouped).map(Device::id).collect();
    for device in &without {
        check_ungrouped(linux, tables, *device, &mut broken);
    }
    for device in without.into_iter().filter(|device| linux.has_state(*device)) {
        let by = format!("{} has IOMMU state but no group", tables.devices[device].name());
        broken.push((Id::I9, by));
    }
    check::at_rest(tables, broken);
}

fn check_ungrouped<D>(linux: &Linux, tables: &mut Tables<D>, id: DeviceId, broken: &mut Broken) {
    let (found, findings) = resolve(tables, id, Asker::Settled);
    tables.log.find_all(findings);
    let device = &tables.devices[id];
    let name = device.name();
    if let DmaState::Ungrouped(Ungrouped::Waiting(nodes)) = device.dma()
        && nodes.iter().any(|node| device.node() == Some(*node))
    {
        broken.push((Id::I4, format!("{name} is an IOMMU and waits for itself")));
    }
    match found {
        Resolution::Instances(_) if !matches!(device.dma(), DmaState::Ungrouped(Ungrouped::Refused(_))) => {
            broken.push((Id::I2, format!("{name} has no group although its IOMMU is ready")));
        }
        Resolution::Without(Ungrouped::Waiting(nodes)) => {
            let gave_up = |instance: &&Instance| {
                linux.is_unregistered(instance.id())
                    && instance.node().is_some_and(|node| nodes.contains(&node))
            };
            if let Some(iommu) = tables.instances.iter().find(gave_up) {
                let iommu = tables.iommu_name(iommu.id());
                broken.push((Id::I2, format!("{name} has no group although {iommu} works")));
                if tables.binds.is_deferred(id) {
                    let by = format!("{name} waits for {iommu}, which will not register again");
                    broken.push((Id::I11, by));
                }
            }
        }
        _ => {}
    }
}
