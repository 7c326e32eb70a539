//! From a device to the IOMMU instances that firmware names for it. Sets up nothing; only findings are recorded.

use alloc::vec::Vec;

use addr::EndpointId;

use crate::data::dma::Ungrouped;
use crate::data::firmware::{Reference, Translation, Untranslated};
use crate::data::id::{DeviceId, FwNode, InstanceId};
use crate::phase1::ring;
use crate::table::Tables;
use crate::table::instance::{InstanceState, Published};

/// What asks, said explicitly.
///
/// It cannot be inferred from what an earlier step left behind: for a device that names two IOMMUs, handling the first
/// would make the second look like a replay.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker<'a> {
    /// The replay of this instance, which therefore need not be ready itself.
    Replay(&'a Published),
    /// Anything else: every instance must be ready.
    Settled,
}

/// Where a device belongs.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// To no IOMMU, or not yet.
    Without(Ungrouped),
    /// To these instances.
    Targets(Targets),
}

/// The instances that a device belongs to, every one of which is ready or asks by its replay; not empty, each once.
/// Only [`resolve`] makes it, and a device cannot be grouped without.
#[derive(Debug)]
pub(crate) struct Targets(Vec<Target>);

/// One instance and the endpoints by which it knows the device.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) instance: InstanceId,
    /// Without duplicates, in firmware's order.
    pub(crate) endpoints: Vec<EndpointId>,
    pub(crate) source: &'static str,
}

/// What firmware names, gathered by IOMMU node.
struct Named {
    node: FwNode,
    endpoints: Vec<EndpointId>,
    source: &'static str,
}

impl Targets {
    /// One by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter()
    }

    /// A defect for the tests of invariants I3 and I4: an instance that nothing has resolved.
    #[cfg(test)]
    pub(crate) fn forge(instance: InstanceId, endpoint: EndpointId) -> Self {
        Self(alloc::vec![Target { instance, endpoints: alloc::vec![endpoint], source: "test" }])
    }
}

/// Asks firmware where `device` belongs, and the instances whether they are ready.
pub(crate) fn resolve<D>(tables: &mut Tables<D>, device: DeviceId, asker: Asker<'_>) -> Resolution {
    let references = match ask_firmware(tables, device) {
        Ok(references) => references,
        Err(state) => return Resolution::Without(state),
    };
    let named = match gather(tables, device, &references) {
        Ok(named) => named,
        Err(state) => return Resolution::Without(state),
    };
    let not_ready: Vec<FwNode> =
        named.iter().map(|entry| entry.node).filter(|node| !may_use(tables, *node, asker)).collect();
    if !not_ready.is_empty() {
        return Resolution::Without(Ungrouped::Waiting(not_ready));
    }
    let targets = named.into_iter().filter_map(|entry| {
        let instance = tables.instances.by_node(entry.node)?.id();
        Some(Target { instance, endpoints: entry.endpoints, source: entry.source })
    });
    Resolution::Targets(Targets(targets.collect()))
}

/// The endpoints that firmware names for a device.
///
/// # Errors
///
/// It names none.
fn ask_firmware<D>(tables: &mut Tables<D>, device: DeviceId) -> Result<Vec<Reference>, Ungrouped> {
    let this = &tables.devices[device];
    let bus = &tables.buses[this.bus()];
    let Some(parent) = bus.firmware_parent(this.unit()) else {
        return Err(Ungrouped::Untranslated(Untranslated::NotInMap));
    };
    let ids = bus.input_ids(this.unit());
    match tables.firmware.translate(parent, &ids) {
        Ok(Translation::Endpoints(references)) => {
            if let Some(finding) = tables.firmware.remark(parent, &ids) {
                tables.log.find(finding);
            }
            Ok(references)
        }
        Ok(Translation::Nowhere(why)) => Err(Ungrouped::Untranslated(why)),
        Err(error) => {
            let id = error.finding.id;
            tables.log.find(error.finding);
            Err(Ungrouped::MapInvalid(id))
        }
    }
}

/// Gathers the endpoints of each IOMMU.
///
/// An IOMMU never translates itself, whatever the map says, and neither does it
/// through others: such references are left out.
///
/// # Errors
///
/// Nothing is left.
fn gather<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    references: &[Reference],
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
        ring::find_ring(tables, device, node);
    }
    if named.is_empty() {
        let behind = behind.map(|iommu| Ungrouped::Untranslated(Untranslated::BehindIt(iommu)));
        return Err(behind.unwrap_or(Ungrouped::IsIommu));
    }
    Ok(named)
}

fn may_use<D>(tables: &Tables<D>, node: FwNode, asker: Asker<'_>) -> bool {
    tables.instances.by_node(node).is_some_and(|instance| match (instance.state(), asker) {
        (InstanceState::Ready, _) => true,
        (InstanceState::Published, Asker::Replay(published)) => published.id() == instance.id(),
        (InstanceState::Published, Asker::Settled) => false,
    })
}
