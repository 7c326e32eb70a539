//! From a device to the IOMMU instances that firmware names for it.

use alloc::vec::Vec;

use crate::data::dma::Ungrouped;
use crate::data::finding::Finding;
use crate::data::firmware::{Reference, Translation, Untranslated};
use crate::data::id::DeviceId;
use crate::phase1::ring;
use crate::phase1::usable::{Asker, Named, UsableInstances};
use crate::table::Tables;

/// The IOMMUs of a device.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// Not behind an IOMMU, or its IOMMUs are not ready.
    Without(Ungrouped),
    /// Behind these instances.
    Instances(UsableInstances),
}

/// Asks firmware where `device` belongs, and every instance whether it can be used. Changes nothing; the findings are
/// for the caller to record.
pub(crate) fn resolve<D>(
    tables: &Tables<D>,
    device: DeviceId,
    asker: Asker<'_>,
) -> (Resolution, Vec<Finding>) {
    let mut findings = Vec::new();
    let named = match ask_firmware(tables, device, &mut findings) {
        Ok(references) => gather(tables, device, &references, &mut findings),
        Err(state) => Err(state),
    };
    let resolution = match named {
        Ok(named) => match UsableInstances::ask(device, named, &tables.instances, asker) {
            Ok(instances) => Resolution::Instances(instances),
            Err(missing) => Resolution::Without(Ungrouped::Waiting(missing)),
        },
        Err(state) => Resolution::Without(state),
    };
    (resolution, findings)
}

/// The endpoints that firmware names for a device.
///
/// # Errors
///
/// There are none.
fn ask_firmware<D>(
    tables: &Tables<D>,
    device: DeviceId,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Reference>, Ungrouped> {
    let this = &tables.devices[device];
    let bus = &tables.buses[this.bus()];
    let Some(parent) = bus.firmware_parent(this.unit()) else {
        return Err(Ungrouped::Untranslated(Untranslated::NotInMap));
    };
    let ids = bus.input_ids(this.unit());
    match tables.firmware.translate(parent, &ids) {
        Ok(Translation::Endpoints(references)) => {
            findings.extend(tables.firmware.remark(parent, &ids));
            Ok(references)
        }
        Ok(Translation::Nowhere(why)) => Err(Ungrouped::Untranslated(why)),
        Err(error) => {
            let id = error.finding.id;
            findings.push(error.finding);
            Err(Ungrouped::MapInvalid(id))
        }
    }
}

/// Gathers the endpoints of each IOMMU.
///
/// An IOMMU never translates itself, directly or through others, whatever the map contains: such references are left
/// out.
///
/// # Errors
///
/// Nothing is left.
fn gather<D>(
    tables: &Tables<D>,
    device: DeviceId,
    references: &[Reference],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Named>, Ungrouped> {
    let own_node = tables.devices[device].node();
    let (mut named, mut in_ring, mut behind): (Vec<Named>, _, _) = (Vec::new(), None, None);
    for reference in references {
        // A host bridge cannot wait for what is only there once the bridge is bound.
        if own_node.is_some_and(|own| tables.firmware.is_behind(reference.iommu, own)) {
            behind = Some(reference.iommu);
            continue;
        }
        if let Some(own) = own_node
            && ring::leads_to(tables, reference.iommu, own)
        {
            in_ring = in_ring.or(Some(reference.iommu).filter(|iommu| *iommu != own));
            continue;
        }
        let entry = match named.iter_mut().find(|entry| entry.node == reference.iommu) {
            Some(entry) => entry,
            None => {
                named.push(Named { node: reference.iommu, endpoints: Vec::new(), source: reference.source });
                named.last_mut().expect("one was just pushed")
            }
        };
        if !entry.endpoints.contains(&reference.endpoint) {
            entry.endpoints.push(reference.endpoint);
        }
    }
    if let Some(node) = in_ring {
        findings.push(ring::finding(tables, device, node));
    }
    if named.is_empty() {
        let behind = behind.map(|iommu| Ungrouped::Untranslated(Untranslated::BehindIt(iommu)));
        return Err(behind.unwrap_or(Ungrouped::IsIommu));
    }
    Ok(named)
}
