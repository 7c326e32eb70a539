//! IOMMU instances: one IOMMU each, looked up by firmware node.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::core::Core;
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::path::Path;
use crate::table::device::DeviceId;
use crate::table::group::GroupId;
use crate::traits::firmware::FwNode;
use crate::traits::iommu::{DomainHandle, IommuOps};

/// One IOMMU instance, by identity; never reused in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub(crate) u32);

/// How far an instance got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// It can be looked up, and devices are being replayed against it.
    Published,
    /// Every device has been replayed.
    Ready,
    /// Linux's paths only: its registration ended with an error. Its driver is bound, and nobody can find it.
    Unregistered,
}

/// One IOMMU whose driver has bound.
pub struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) device: DeviceId,
    /// By what firmware refers to it. An instance without a node is never found: absent equals nothing.
    pub(crate) node: Option<FwNode>,
    pub(crate) driver: &'static str,
    pub(crate) state: InstanceState,
    pub(crate) ops: Box<dyn IommuOps>,
    pub(crate) endpoints: BTreeMap<EndpointId, Attachment>,
    pub(crate) members: Vec<DeviceId>,
}

/// Which group has an endpoint, and how many of its members share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attachment {
    pub(crate) group: GroupId,
    pub(crate) users: u32,
    /// Where it is attached, if it is.
    pub(crate) domain: Option<DomainHandle>,
}

impl Instance {
    /// An instance that has just been published; nobody has been replayed against it.
    pub(crate) fn new(
        id: InstanceId,
        device: DeviceId,
        node: Option<FwNode>,
        driver: &'static str,
        ops: Box<dyn IommuOps>,
    ) -> Self {
        let state = InstanceState::Published;
        Self { id, device, node, driver, state, ops, endpoints: BTreeMap::new(), members: Vec::new() }
    }

    /// Identity.
    pub fn id(&self) -> InstanceId {
        self.id
    }

    /// The device that it is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Firmware's node for it.
    pub fn node(&self) -> Option<FwNode> {
        self.node
    }

    /// Name of its driver.
    pub fn driver(&self) -> &'static str {
        self.driver
    }

    /// How far it got.
    pub fn state(&self) -> InstanceState {
        self.state
    }

    /// Devices that it translates, in the order in which they were grouped.
    pub fn members(&self) -> &[DeviceId] {
        &self.members
    }
}

impl<D> Core<D> {
    /// Makes an IOMMU findable.
    pub(crate) fn publish(
        &mut self,
        device: DeviceId,
        driver: &'static str,
        ops: Box<dyn IommuOps>,
    ) -> InstanceId {
        let id = InstanceId(u32::try_from(self.instances.len()).expect("fewer instances than devices"));
        let owner = self.device(device);
        let (mut node, name) = (owner.node, owner.name.clone());
        if self.path != Path::Fixed {
            node = node.filter(|node| self.firmware.is_known_to_linux(*node));
        }
        self.instances.push(Some(Instance::new(id, device, node, driver, ops)));
        self.events.push(Event::Published(id));
        if node.is_none() {
            self.find(Finding {
                id: "iommu-without-node",
                severity: Severity::Warning,
                sentence: format!(
                    "firmware has no node for the IOMMU {name}, so it can refer no device to it"
                ),
                subject: name,
            });
        }
        id
    }
}
