//! The machine's hardware for drivers: configuration space, the PCI topology, platform devices.

pub(crate) mod config_space;
mod firmware_checks;
pub(crate) mod platform_bus;
pub(crate) mod root_buses;
pub(crate) mod virtio;
mod windows;

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::{PhysAddr, Range};
use firmware::{Description, FunctionBus, FunctionNode, HostBridge, LinuxView, PlatformDevice};
use pci::{AcsRegisters, Command, ConfigAcs, EnableError, EnumerationPolicy, FunctionIndex, Topology};
use probe::{Finding, FwNode, InputIds, LinuxFirmware, LinuxQuirks, Path, Translation};
use virtio_drivers::transport::DeviceType;

use self::config_space::ConfigSpace;
use crate::machine::registers::{self, RegistersError};

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
    pub topology: Rc<Topology>,
    /// Host bridges whose configuration space answers, in the order of the topology's root buses.
    pub(crate) host_bridges: Vec<HostBridge>,
    pub(crate) platform: Vec<PlatformDevice>,
    /// For each platform device that is a virtio-mmio slot: the device in it.
    virtio_mmio: Vec<Option<u32>>,
    /// The members of `host_bridges` that firmware describes as behind an IOMMU; their functions
    /// are added when they are bound.
    waiting_bridges: Vec<usize>,
    /// For each of `host_bridges`, the name of its node.
    bridge_nodes: Vec<String>,
    /// Contradictions between the machine and firmware's description.
    pub(crate) findings: Vec<Finding>,
}

impl Hardware {
    /// Numbers all buses, reads all functions and assigns addresses as `policy` says, sets ACS as
    /// `config_acs` says, and enables ACS elsewhere if the path does not do that itself.
    ///
    /// If a host bridge or slot is not at the address that firmware gives, only this one is left
    /// out, with a finding.
    pub(crate) fn enumerate(
        description: &Description,
        map: &dyn LinuxFirmware,
        policy: &EnumerationPolicy,
        config_acs: &ConfigAcs,
        path: Path,
    ) -> Rc<Self> {
        let mut findings = Vec::new();
        let mut config = ConfigSpace::default();
        let mut host_bridges = Vec::new();
        for bridge in description.host_bridges.iter().filter_map(|bridge| as_seen_by(path, bridge)) {
            match config.add(bridge.ecam, bridge.segment, bridge.first_bus, bridge.last_bus) {
                Ok(()) => host_bridges.push(bridge),
                Err(error) => {
                    findings.push(firmware_checks::ecam(&bridge.name, &map.name(bridge.node), error))
                }
            }
        }
        let (roots, unusable) = root_buses::root_buses(description, &host_bridges, map);
        findings.extend(unusable);
        let topology = pci::enumerate_with(&mut config, &roots, policy);

        let mut virtio_mmio = Vec::new();
        for device in &description.platform_devices {
            virtio_mmio.push(virtio_mmio_type(device).unwrap_or_else(|error| {
                findings.push(firmware_checks::registers(&device.name, &map.name(device.node), error));
                None
            }));
        }
        let mut this = Self {
            config: RefCell::new(config),
            topology: Rc::new(topology),
            waiting_bridges: waiting_bridges(&host_bridges, map),
            bridge_nodes: host_bridges.iter().map(|bridge| map.name(bridge.node)).collect(),
            host_bridges,
            platform: description.platform_devices.clone(),
            virtio_mmio,
            findings,
        };
        this.mark_ports_that_lead_out(path);
        let topology = unshared(&mut this.topology);
        let unused = pci::config_acs(this.config.get_mut(), topology, config_acs);
        this.findings.extend(unused.iter().map(|entry| firmware_checks::config_acs(entry)));
        // This precedes all grouping: a port's isolation is read from its control register.
        if description.requests_acs && path == Path::Fixed {
            pci::enable_acs(this.config.get_mut(), topology);
        }
        let of_bridges = firmware_checks::of_host_bridges(&this, map);
        let of_slots = firmware_checks::of_slots(&this, map);
        let of_buses = firmware_checks::of_buses(&this, map);
        for mut found in [of_bridges, of_slots, of_buses] {
            this.findings.append(&mut found);
        }
        Rc::new(this)
    }

    /// Marks the external-facing ports in the topology, as firmware describes them and if the path
    /// knows them when it enables ACS.
    ///
    /// Observed with `external-facing` in a tree: Linux 7.3.4 sets TB in the port, and devices
    /// behind it are trusted. 6.16.3 and 6.12.95 enable ACS when the port is found, before its bus
    /// is there and the property is read.
    fn mark_ports_that_lead_out(&mut self, path: Path) {
        if matches!(path, Path::Regressed | Path::Legacy) {
            return;
        }
        let mut external = Vec::new();
        for (index, _) in self.topology.indexed() {
            if self.node_of(index).is_some_and(|node| node.external_facing) {
                external.push(index);
            }
        }
        let topology = unshared(&mut self.topology);
        topology.mark_external_facing(&external);
        if path == Path::Fixed {
            topology.mark_untrusted();
        }
    }

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
        pci::read_acs(&mut *self.config.borrow_mut(), &self.topology[index])
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
        devices.filter(|(device, _)| is_virtio_mmio_slot(device))
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
    fn bridge_node(&self, index: FunctionIndex) -> &str {
        let root = self.topology.bus_of(&self.topology[index]).root;
        self.bridge_nodes.get(root).map_or("the host bridge", String::as_str)
    }
}

/// The host bridges of a device tree whose own DMA is behind an IOMMU (`iommus`). With ACPI tables
/// there are none: Linux does not set up DMA for a host bridge there.
fn waiting_bridges(bridges: &[HostBridge], map: &dyn LinuxFirmware) -> Vec<usize> {
    if map.linux_quirks() != LinuxQuirks::DEVICE_TREE {
        return Vec::new();
    }
    let waits = |bridge: &HostBridge| {
        matches!(map.translate(bridge.node, &InputIds::Node), Ok(Translation::Endpoints(_)))
    };
    let mut waiting = Vec::new();
    for (root, bridge) in bridges.iter().enumerate() {
        if waits(bridge) {
            waiting.push(root);
        }
    }
    waiting
}

/// PCI vendor ID of virtio devices (virtio 1.2, section 4.1.2).
pub(crate) const VIRTIO_VENDOR: u16 = 0x1af4;

/// "virt", the first register of a virtio-mmio device (virtio 1.2, section 4.2.2).
const VIRTIO_MMIO_MAGIC: u32 = 0x7472_6976;

/// The identifiers of a virtio-mmio slot in a device tree and in ACPI.
const VIRTIO_MMIO_IDS: [&str; 2] = ["virtio,mmio", "LNRO0005"];
/// Offset of the register with the device's type; 0 in an empty slot.
const VIRTIO_MMIO_DEVICE_ID: u64 = 8;

/// The virtio device type of an IOMMU (virtio 1.2, section 5.13.1).
pub(crate) const IOMMU_TYPE: u32 = DeviceType::IOMMU as u32;

fn is_virtio_mmio_slot(device: &PlatformDevice) -> bool {
    device.compatible.iter().any(|id| VIRTIO_MMIO_IDS.contains(&id.as_str()))
}

fn first_registers(device: &PlatformDevice) -> Option<Range<PhysAddr>> {
    device.registers.first().copied()
}

/// The type of the device in a virtio-mmio slot; `None` if this is not such a slot, or an empty
/// one.
fn virtio_mmio_type(device: &PlatformDevice) -> Result<Option<u32>, RegistersError> {
    if !is_virtio_mmio_slot(device) {
        return Ok(None);
    }
    let Some(range) = first_registers(device).filter(|range| range.size() >= 0x100) else {
        return Ok(None);
    };
    // SAFETY: The first register of a virtio-mmio device is a constant.
    if unsafe { registers::map(range) }? != VIRTIO_MMIO_MAGIC {
        return Ok(None);
    }
    // SAFETY: The registers are at least 256 bytes, aligned, and mapped; reading this one has no effect
    // (virtio 1.2, section 4.2.2).
    let kind = unsafe { core::ptr::read_volatile((range.start().0 + VIRTIO_MMIO_DEVICE_ID) as *const u32) };
    Ok((kind != 0).then_some(kind))
}

/// The topology while it is being read and set up.
fn unshared(topology: &mut Rc<Topology>) -> &mut Topology {
    Rc::get_mut(topology).expect("the core gets the topology when it is complete")
}

/// A host bridge as on Linux's paths, or on `fixed`.
fn as_seen_by(path: Path, bridge: &HostBridge) -> Option<HostBridge> {
    match &bridge.in_linux {
        LinuxView::Absent if path != Path::Fixed => None,
        LinuxView::Windows(windows) if path != Path::Fixed => {
            Some(HostBridge { windows: windows.clone(), ..bridge.clone() })
        }
        _ => Some(bridge.clone()),
    }
}
