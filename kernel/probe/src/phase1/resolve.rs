//! From a device to the IOMMU instances that firmware names for it. Reads only; sets up nothing.

use alloc::vec::Vec;

use addr::EndpointId;

use crate::core::Core;
use crate::table::device::{DeviceId, DmaState};
use crate::table::instance::{InstanceId, InstanceState};
use crate::traits::firmware::{FwNode, Translation, Untranslated};

/// Who asks, said explicitly.
///
/// Linux infers it from whether the device's IOMMU state exists already (`iommu_fwspec_init`), which is
/// wrong for a device that names two IOMMUs: handling the first makes the second look like a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The replay of this instance, which therefore need not be ready itself.
    Replay(InstanceId),
    /// Anybody else: every instance must be ready.
    Settled,
}

/// Where a device belongs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolution {
    /// To no IOMMU, or not yet; never [`DmaState::Grouped`].
    Without(DmaState),
    /// To these instances; not empty, each once.
    Targets(Vec<Target>),
}

/// One instance and the endpoints by which it knows the device.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl<D> Core<D> {
    /// Asks firmware where `device` belongs, and the instances whether they are ready.
    pub(crate) fn resolve(&mut self, device: DeviceId, asker: Asker) -> Resolution {
        let this = self.device(device);
        let own_node = this.node;
        let bus = &self.buses[this.bus.0 as usize].bus;
        let Some(parent) = bus.firmware_parent(this.unit) else {
            return Resolution::Without(DmaState::Untranslated(Untranslated::NotInMap));
        };
        let ids = bus.input_ids(this.unit);
        let references = match self.firmware.translate(parent, &ids) {
            Ok(Translation::Endpoints(references)) => {
                if let Some(finding) = self.firmware.remark(parent, &ids) {
                    self.find(finding);
                }
                references
            }
            Ok(Translation::Nowhere(why)) => return Resolution::Without(DmaState::Untranslated(why)),
            Err(error) => {
                let id = error.finding.id;
                self.find(error.finding);
                return Resolution::Without(DmaState::MapInvalid(id));
            }
        };

        // An IOMMU never translates itself, whatever the map says (Linux has this check for VIOT only), and
        // neither by way of others.
        let (mut named, mut ring, mut behind): (Vec<Named>, _, _) = (Vec::new(), None, None);
        for reference in &references {
            // A host bridge cannot wait for what is only there once the bridge is bound.
            if own_node.is_some_and(|own| self.firmware.is_behind(reference.iommu, own)) {
                behind = Some(reference.iommu);
                continue;
            }
            if let Some(own) = own_node
                && self.leads_to(reference.iommu, own)
            {
                ring = ring.or(Some(reference.iommu).filter(|iommu| *iommu != own));
                continue;
            }
            let entry = match named.iter_mut().find(|entry| entry.node == reference.iommu) {
                Some(entry) => entry,
                None => {
                    named.push(Named {
                        node: reference.iommu,
                        endpoints: Vec::new(),
                        source: reference.source,
                    });
                    named.last_mut().expect("one was just pushed")
                }
            };
            if !entry.endpoints.contains(&reference.endpoint) {
                entry.endpoints.push(reference.endpoint);
            }
        }
        if let Some(node) = ring {
            self.find_ring(device, node);
        }
        if named.is_empty() {
            let behind = behind.map(|iommu| DmaState::Untranslated(Untranslated::BehindIt(iommu)));
            return Resolution::Without(behind.unwrap_or(DmaState::IsIommu));
        }

        let not_ready: Vec<FwNode> =
            named.iter().map(|entry| entry.node).filter(|node| !self.may_use(*node, asker)).collect();
        if !not_ready.is_empty() {
            return Resolution::Without(DmaState::Waiting(not_ready));
        }
        let targets = named.into_iter().filter_map(|entry| {
            let instance = self.instance_by_node(entry.node)?.id;
            Some(Target { instance, endpoints: entry.endpoints, source: entry.source })
        });
        Resolution::Targets(targets.collect())
    }

    fn may_use(&self, node: FwNode, asker: Asker) -> bool {
        self.instance_by_node(node).is_some_and(|instance| match instance.state {
            InstanceState::Ready => true,
            InstanceState::Published => asker == Asker::Replay(instance.id),
            InstanceState::Unregistered => false,
        })
    }
}
