//! The proof that every IOMMU of a device is ready, which a device needs to join a group.
//!
//! Firmware may put a device behind several IOMMUs. Linux sets it up as soon as the first one is ready and mistakes the
//! state that this leaves behind for a replay of the others (`iommu_fwspec_init`). The same here does not compile: one
//! ready instance is not what a join takes.
//!
//! ```compile_fail,E0308
//! use probe::{Instance, InstanceState, Join, Trigger};
//!
//! /// `first` is the first IOMMU that firmware names for the device; the second one is not asked.
//! fn set_up(first: &Instance) -> Option<Join> {
//!     (first.state() == InstanceState::Ready).then(|| Join::of(first.id(), Trigger::Add))
//! }
//! ```
//!
//! Neither can the proof be made by hand:
//!
//! ```compile_fail,E0451
//! use probe::{DeviceId, Join, Trigger, UsableInstances};
//!
//! fn set_up(device: DeviceId) -> Join {
//!     Join::of(UsableInstances { device, targets: Vec::new() }, Trigger::Add)
//! }
//! ```
//!
//! Nor used twice, the second time after an IOMMU was removed:
//!
//! ```compile_fail,E0382
//! use probe::{Join, Trigger, UsableInstances};
//!
//! fn set_up(all: UsableInstances) -> [Join; 2] {
//!     [Join::of(all, Trigger::Add), Join::of(all, Trigger::Replay)]
//! }
//! ```
//!
//! With the proof from phase 1, which has asked every instance, it compiles:
//!
//! ```
//! use probe::{DeviceId, Instance, InstanceState, Join, Trigger, UsableInstances};
//!
//! fn set_up(all: UsableInstances, first: &Instance) -> (DeviceId, bool, Join) {
//!     (all.device(), first.state() == InstanceState::Ready, Join::of(all, Trigger::Add))
//! }
//! ```

use alloc::vec::Vec;

use addr::EndpointId;

use crate::data::dma::Trigger;
use crate::data::id::{DeviceId, FwNode, InstanceId};
use crate::table::instance::{InstanceState, Instances, Published};

/// The caller of phase 1.
///
/// It is passed explicitly, because it cannot be inferred from the state that an earlier step left: for a device that
/// names two IOMMUs, handling the first would make the second look like a replay.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker<'a> {
    /// The replay of this instance, which therefore need not be ready itself.
    Replay(&'a Published),
    /// Anything else: every instance must be ready.
    Settled,
}

/// All endpoints that firmware names for a device at one IOMMU.
#[derive(Debug)]
pub(in crate::phase1) struct Named {
    pub(in crate::phase1) node: FwNode,
    /// Without duplicates, in firmware's order.
    pub(in crate::phase1) endpoints: Vec<EndpointId>,
    pub(in crate::phase1) source: &'static str,
}

/// Every instance that firmware names for a device; each is ready, or is replaying the device right now.
///
/// Phase 1 makes one for each attempt to join, after it has asked all of them.
#[derive(Debug)]
pub struct UsableInstances {
    device: DeviceId,
    /// Not empty, each instance once.
    targets: Vec<Target>,
}

/// One instance, and the endpoints by which it knows the device.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) instance: InstanceId,
    /// Without duplicates, in firmware's order.
    pub(crate) endpoints: Vec<EndpointId>,
    pub(crate) source: &'static str,
}

/// A device is about to join a group; nothing has been set up for it yet.
#[derive(Debug)]
pub struct Join {
    instances: UsableInstances,
    trigger: Trigger,
}

impl UsableInstances {
    /// Asks the instance of each of `named`, which is all that firmware names for `device` and not empty.
    ///
    /// # Errors
    ///
    /// The nodes of the instances that cannot be used yet.
    pub(in crate::phase1) fn ask(
        device: DeviceId,
        named: Vec<Named>,
        instances: &Instances,
        asker: Asker<'_>,
    ) -> Result<Self, Vec<FwNode>> {
        let mut missing = Vec::new();
        let mut targets = Vec::with_capacity(named.len());
        for Named { node, endpoints, source } in named {
            match usable(instances, node, asker) {
                Some(instance) => targets.push(Target { instance, endpoints, source }),
                None => missing.push(node),
            }
        }
        if missing.is_empty() { Ok(Self { device, targets }) } else { Err(missing) }
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// A defect for the tests of invariants I3 and I4: an instance that was not asked.
    #[cfg(test)]
    pub(crate) fn forge(device: DeviceId, instance: InstanceId, endpoint: EndpointId) -> Self {
        let endpoints = alloc::vec![endpoint];
        Self { device, targets: alloc::vec![Target { instance, endpoints, source: "test" }] }
    }
}

impl Join {
    /// The join of a device all of whose instances can be used.
    #[must_use]
    pub fn of(instances: UsableInstances, trigger: Trigger) -> Self {
        Self { instances, trigger }
    }

    /// The device.
    pub(in crate::phase1) fn device(&self) -> DeviceId {
        self.instances.device
    }

    /// The instances; not empty, each once.
    pub(in crate::phase1) fn targets(&self) -> &[Target] {
        &self.instances.targets
    }

    /// The trigger of the probe.
    pub(in crate::phase1) fn trigger(&self) -> Trigger {
        self.trigger
    }
}

/// The instance that firmware means by `node`, if the caller may use it.
fn usable(instances: &Instances, node: FwNode, asker: Asker<'_>) -> Option<InstanceId> {
    let instance = instances.by_node(node)?;
    let may_use = match (instance.state(), asker) {
        (InstanceState::Ready, _) => true,
        (InstanceState::Published, Asker::Replay(published)) => published.id() == instance.id(),
        (InstanceState::Published, Asker::Settled) => false,
    };
    may_use.then(|| instance.id())
}
