//! The devices of the machine, and the means to access them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use firmware::{FunctionBus, FunctionNode, HostBridge, PlatformDevice};
use pci::{AcsRegisters, Command, EnableError, FunctionIndex, RootBus};
use probe::{Finding, FwNode};
use virtio_drivers::transport::DeviceType;

use super::topology_now::TopologyNow;
use super::virtio_slot;
use crate::machine::config_space::ConfigSpace;

/// PCI vendor ID of virtio devices (virtio 1.2, section 4.1.2).
pub(crate) const VIRTIO_VENDOR: u16 = 0x1af4;

/// The virtio device type of an IOMMU (virtio 1.2, section 5.13.1).
pub(crate) const IOMMU_TYPE: u32 = DeviceType::IOMMU as u32;

/// A device, as drivers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A PCI function.
    Function(FunctionIndex),
    /// A platform device, by its index in `Hardware::platform`.
    Platform(usize),
}

/// The machine's devices and the means to access them.
pub struct Hardware {
    pub(crate) config: RefCell<ConfigSpace>,
    /// Shared with the PCI bus of the core.
    pub topology: TopologyNow,
    /// The root buses, as `pci` enumerated them.
    pub(super) roots: Vec<RootBus>,
    /// Whether firmware requests ACS.
    pub(super) requests_acs: bool,
    /// Host bridges whose configuration space answers, in the order of the topology's root buses.
    pub(crate) host_bridges: Vec<HostBridge>,
    pub(crate) platform: Vec<PlatformDevice>,
    /// For each platform device that is a virtio-mmio slot: the device in it.
    pub(super) virtio_mmio: Vec<Option<u32>>,
    /// The members of `host_bridges` that firmware describes as behind an IOMMU; their functions
    /// are added when they are bound.
    pub(super) waiting_bridges: Vec<usize>,
    /// For each of `host_bridges`, the name of its node.
    pub(super) bridge_nodes: Vec<String>,
    /// Contradictions between the machine and firmware's description.
    pub(crate) findings: Vec<Finding>,
}

impl Hardware {
    /// Linux's name of a device.
    pub fn name(&self, handle: Handle) -> String {
        match handle {
            Handle::Function(index) => self.topology[index].address.to_string(),
            Handle::Platform(index) => self.platform[index].name.clone(),
        }
    }

    /// Host bridges that are bound only after an IOMMU.
    pub(crate) fn waiting_bridges(&self) -> impl Iterator<Item = &HostBridge> {
        self.waiting_bridges.iter().map(|root| &self.host_bridges[*root])
    }

    /// The node of the host bridge whose bind adds this function; `None` if the bridge does not
    /// wait for an IOMMU.
    pub(crate) fn waits_for(&self, index: FunctionIndex) -> Option<FwNode> {
        let root = self.topology.bus_of(&self.topology[index]).root;
        self.waiting_bridges.contains(&root).then(|| self.host_bridges[root].node)
    }

    /// Firmware's node for a function, if it has one.
    pub(crate) fn node_of(&self, index: FunctionIndex) -> Option<&FunctionNode> {
        let function = &self.topology[index];
        let bus = self.topology.bus_of(function);
        let nodes = &self.host_bridges.get(bus.root)?.functions;
        let mut here = nodes.iter().filter(|entry| entry.place == function.address.devfn).peekable();
        here.peek()?;
        // A bridge is on a lower-numbered bus than the one behind it, so this ends at the root bus.
        let bridge = bus.bridge.and_then(|bridge| self.node_of(bridge));
        here.find(|entry| match entry.bus {
            FunctionBus::Number(number) => number == function.address.bus,
            FunctionBus::Behind(node) => bridge.is_some_and(|bridge| bridge.node == node),
        })
    }

    /// The current ACS registers of a function.
    pub(crate) fn acs(&self, index: FunctionIndex) -> Option<AcsRegisters> {
        pci::read_acs(&*self.config.borrow(), &self.topology[index])
    }

    /// Whether the device is a virtio-iommu.
    pub fn is_iommu(&self, handle: Handle) -> bool {
        self.virtio_type(handle) == Some(IOMMU_TYPE)
    }

    /// The virtio device type (virtio 1.2, section 5) of `handle`; `None` if it is not a virtio
    /// device.
    pub fn virtio_type(&self, handle: Handle) -> Option<u32> {
        match handle {
            Handle::Function(index) => {
                let function = &self.topology[index];
                if function.vendor != VIRTIO_VENDOR {
                    return None;
                }
                match function.device {
                    // Transitional devices have their type in the subsystem ID (section 4.1.2.1).
                    0x1000..=0x103f => function.subsystem.map(|subsystem| u32::from(subsystem.device)),
                    0x1040..=0x107f => Some(u32::from(function.device) - 0x1040),
                    _ => None,
                }
            }
            Handle::Platform(index) => self.virtio_mmio[index],
        }
    }

    /// Platform devices that are virtio-mmio slots, each with the type of the virtio device in it.
    pub(crate) fn virtio_mmio_slots(&self) -> impl Iterator<Item = (&PlatformDevice, Option<u32>)> {
        let devices = self.platform.iter().zip(self.virtio_mmio.iter().copied());
        devices.filter(|(device, _)| virtio_slot::is_slot(device))
    }

    /// Sets the bits of `command` in the command register.
    ///
    /// # Errors
    ///
    /// A BAR that would answer does not have an address.
    pub fn enable(&self, index: FunctionIndex, command: Command) -> Result<(), EnableError> {
        let function = &self.topology[index];
        pci::enable(&mut *self.config.borrow_mut(), function, command)
    }

    /// Firmware's name of the host bridge that leads to a function.
    pub(super) fn bridge_node(&self, index: FunctionIndex) -> &str {
        let root = self.topology.bus_of(&self.topology[index]).root;
        self.bridge_nodes.get(root).map_or("the host bridge", String::as_str)
    }
}
