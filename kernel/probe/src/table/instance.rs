//! IOMMU instances, which firmware's references find by their nodes.

use alloc::vec::Vec;
use core::cell::{Ref, RefMut};
use core::ops::Index;

use addr::EndpointId;

use crate::data::dma::Fwspec;
use crate::data::id::{DeviceId, DomainHandle, FwNode, GroupId, InstanceId, number};
use crate::data::refusal::Refusal;
use crate::data::sorted_map::SortedMap;
use crate::traits::iommu::{IommuOps, SharedIommu};

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// It can be looked up, and devices are being replayed.
    Published,
    /// Every device has been replayed.
    Ready,
}

/// Proof that an IOMMU has been published, and so can be looked up. A replay takes it; the IOMMU is ready when the
/// replay hands it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Published(InstanceId);

/// One IOMMU whose driver has bound.
pub struct Instance {
    id: InstanceId,
    device: DeviceId,
    /// The node by which firmware refers to it. An instance without a node is never found.
    node: Option<FwNode>,
    driver: &'static str,
    state: InstanceState,
    ops: SharedIommu,
    endpoints: SortedMap<EndpointId, Attachment>,
    members: Vec<DeviceId>,
}

/// The group of an endpoint, and the number of its members that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attachment {
    pub(crate) group: GroupId,
    pub(crate) users: u32,
    /// The domain that it is attached to, if any.
    pub(crate) domain: Option<DomainHandle>,
}

impl Published {
    /// The instance.
    #[must_use]
    pub fn id(&self) -> InstanceId {
        self.0
    }
}

impl Instance {
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

    /// The state.
    pub fn state(&self) -> InstanceState {
        self.state
    }

    /// Whether every device has been replayed against it.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == InstanceState::Ready
    }

    /// Devices that it translates, in the order in which they were grouped.
    pub fn members(&self) -> &[DeviceId] {
        &self.members
    }

    /// What it does for the core.
    pub(crate) fn ops(&self) -> Ref<'_, dyn IommuOps> {
        self.ops.borrow()
    }

    /// The same, for a value that may outlive it.
    pub(crate) fn shared_ops(&self) -> &SharedIommu {
        &self.ops
    }

    /// The attachment of an endpoint, if a device with it is in a group.
    pub(crate) fn attachment(&self, endpoint: EndpointId) -> Option<&Attachment> {
        self.endpoints.get(endpoint)
    }

    /// All endpoints of devices that are in a group.
    pub(crate) fn attachments(&self) -> impl Iterator<Item = &(EndpointId, Attachment)> {
        self.endpoints.iter()
    }

    /// Whether any device refers to it.
    pub(crate) fn is_referenced(&self) -> bool {
        !self.endpoints.is_empty() || !self.members.is_empty()
    }
}

/// All instances, by identity.
#[derive(Default)]
pub(crate) struct Instances {
    /// A slot is empty once its instance was unpublished.
    slots: Vec<Option<Instance>>,
}

/// # Panics
///
/// If the instance was unpublished.
impl Index<InstanceId> for Instances {
    type Output = Instance;

    fn index(&self, id: InstanceId) -> &Instance {
        self.find(id).expect("an instance ID is used only while its instance exists")
    }
}

impl Instances {
    /// Makes an IOMMU findable; no device has been replayed against it.
    pub(crate) fn publish(
        &mut self,
        device: DeviceId,
        node: Option<FwNode>,
        driver: &'static str,
        ops: SharedIommu,
    ) -> Published {
        let id = InstanceId(number(self.slots.len()));
        let (state, endpoints, members) = (InstanceState::Published, SortedMap::default(), Vec::new());
        self.slots.push(Some(Instance { id, device, node, driver, state, ops, endpoints, members }));
        Published(id)
    }

    /// Every device has been replayed.
    pub(crate) fn ready(&mut self, published: Published) {
        self.get_mut(published.0).state = InstanceState::Ready;
    }

    pub(crate) fn unpublish(&mut self, id: InstanceId) {
        self.slots[id.0 as usize] = None;
    }

    pub(crate) fn find(&self, id: InstanceId) -> Option<&Instance> {
        self.slots[id.0 as usize].as_ref()
    }

    /// One more than the largest number that was given out.
    pub(crate) fn numbers(&self) -> usize {
        self.slots.len()
    }

    /// Instances that exist, in the order in which they were published.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.slots.iter().flatten()
    }

    /// The instance with this firmware node, compared by identity.
    pub(crate) fn by_node(&self, node: FwNode) -> Option<&Instance> {
        self.iter().find(|instance| instance.node == Some(node))
    }

    /// Whether the instance with this firmware node is ready.
    pub(crate) fn is_ready(&self, node: FwNode) -> bool {
        self.by_node(node).is_some_and(Instance::is_ready)
    }

    /// The instance that a device is.
    pub(crate) fn of_device(&self, device: DeviceId) -> Option<&Instance> {
        self.iter().find(|instance| instance.device == device)
    }

    /// What an instance does for the core.
    pub(crate) fn ops_mut(&mut self, id: InstanceId) -> RefMut<'_, dyn IommuOps> {
        self.get_mut(id).ops.borrow_mut()
    }

    /// A device is behind an instance, with these endpoints, and in a group.
    pub(crate) fn add_member(&mut self, device: DeviceId, fwspec: &Fwspec, group: GroupId) {
        let this = self.get_mut(fwspec.instance);
        this.members.push(device);
        for endpoint in &fwspec.endpoints {
            let fresh = Attachment { group, users: 0, domain: None };
            this.endpoints.get_or_insert(*endpoint, fresh).users += 1;
        }
    }

    /// A device is no longer behind an instance.
    pub(crate) fn remove_member(&mut self, id: InstanceId, device: DeviceId) {
        self.get_mut(id).members.retain(|member| *member != device);
    }

    /// Removes a user of an endpoint. If it was the last one, returns the domain from which to detach the endpoint.
    pub(crate) fn release(&mut self, id: InstanceId, endpoint: EndpointId) -> Option<DomainHandle> {
        let endpoints = &mut self.get_mut(id).endpoints;
        let attachment = endpoints.get_mut(endpoint)?;
        attachment.users -= 1;
        if attachment.users > 0 {
            return None;
        }
        endpoints.remove(endpoint)?.domain
    }

    /// The endpoints belong to another group from now on.
    pub(crate) fn move_endpoints(&mut self, fwspec: &Fwspec, group: GroupId) {
        let endpoints = &mut self.get_mut(fwspec.instance).endpoints;
        for endpoint in &fwspec.endpoints {
            if let Some(attachment) = endpoints.get_mut(*endpoint) {
                attachment.group = group;
            }
        }
    }

    /// Attaches endpoints to a domain, unless they are there already.
    ///
    /// # Errors
    ///
    /// The instance refuses one; those before it are attached.
    pub(crate) fn attach(&mut self, fwspec: &Fwspec, domain: DomainHandle) -> Result<(), Refusal> {
        let Instance { ops, endpoints, .. } = self.get_mut(fwspec.instance);
        for endpoint in &fwspec.endpoints {
            let Some(attachment) = endpoints.get_mut(*endpoint) else { continue };
            if attachment.domain != Some(domain) {
                ops.borrow_mut().attach(domain, *endpoint)?;
                attachment.domain = Some(domain);
            }
        }
        Ok(())
    }

    /// A copy with the IOMMUs that `copy` makes for their devices.
    pub(crate) fn copied(&self, copy: impl Fn(DeviceId) -> SharedIommu) -> Self {
        let instance = |this: &Instance| Instance {
            ops: copy(this.device),
            endpoints: this.endpoints.clone(),
            members: this.members.clone(),
            ..*this
        };
        Self { slots: self.slots.iter().map(|slot| slot.as_ref().map(instance)).collect() }
    }

    fn get_mut(&mut self, id: InstanceId) -> &mut Instance {
        self.slots[id.0 as usize].as_mut().expect("an instance ID is used only while its instance exists")
    }

    /// A defect for the tests of invariants I6 and I9.
    #[cfg(test)]
    pub(crate) fn attachment_mut(&mut self, id: InstanceId, endpoint: EndpointId) -> &mut Attachment {
        self.get_mut(id).endpoints.get_mut(endpoint).expect("a grouped device has it")
    }
}
