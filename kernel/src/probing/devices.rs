//! The buses and devices of the machine, in Linux's order.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;

use firmware::PlatformBus as Which;
use pci::{FunctionIndex, LinuxPciBus, PciBus, Topology};
use probe::{BusId, Core, DeviceId, FwNode, LinuxFirmware, NewDevice, Path, Unit};

use crate::hardware::platform_bus::PlatformBus;
use crate::hardware::{Handle, Hardware};
use crate::input::options::Options;
use crate::probing::BootStep;

/// The devices of a machine, to be added in this order.
pub(crate) struct Devices {
    /// The PCI bus.
    pub(crate) pci: BusId,
    /// The devices that exist when the machine starts.
    pub(crate) first: Vec<BootStep>,
    /// Virtual functions, which are enabled after the boot (Linux: `sriov_numvfs`).
    pub(crate) virtual_functions: Vec<BootStep>,
}

/// A core with all buses of the machine, and the devices to add to them.
///
/// The buses are in the order in which a replay walks them (Linux: `iommu_buses`).
pub(crate) fn machine(
    hardware: &Rc<Hardware>,
    map: Box<dyn LinuxFirmware>,
    options: &Options,
) -> (Core<Handle>, Devices) {
    let mut core = Core::new(options.path, options.policy, map);
    let platform = core.add_bus(Box::new(PlatformBus::new("platform", &hardware.platform)));
    let nodes = hardware.host_bridges.iter().map(|bridge| bridge.node).collect();
    let pci = add_pci_bus(&mut core, hardware, nodes, options.path);
    let amba = core.add_bus(Box::new(PlatformBus::new("amba", &hardware.platform)));

    let mut first = Vec::with_capacity(hardware.platform.len() + hardware.topology.functions().len());
    for (index, device) in hardware.platform.iter().enumerate() {
        let bus = match device.bus {
            Which::Platform => platform,
            Which::Amba => amba,
        };
        let new = NewDevice {
            unit: Unit(u32::try_from(index).unwrap_or(u32::MAX)),
            name: device.name.clone(),
            node: Some(device.node),
            enabled: true,
            handle: Handle::Platform(index),
        };
        first.push(BootStep::Add(bus, new));
    }
    let mut virtual_functions = Vec::new();
    for (index, this) in hardware.topology.indexed() {
        let steps = if this.physical.is_some() { &mut virtual_functions } else { &mut first };
        steps.push(BootStep::Add(pci, function(hardware, index)));
    }
    (core, Devices { pci, first, virtual_functions })
}

/// A function, to be added.
pub(super) fn function(hardware: &Hardware, index: FunctionIndex) -> NewDevice<Handle> {
    let node = hardware.node_of(index);
    NewDevice {
        unit: index.into(),
        name: hardware.topology[index].address.to_string(),
        node: node.map(|entry| entry.node),
        enabled: node.is_none_or(|entry| entry.enabled),
        handle: Handle::Function(index),
    }
}

/// The PCI bus. ACS is already enabled, or will be function by function if the path decides when.
fn add_pci_bus(core: &mut Core<Handle>, hardware: &Rc<Hardware>, nodes: Vec<FwNode>, path: Path) -> BusId {
    let topology = &hardware.topology;
    if path == Path::Fixed {
        return core.add_bus(Box::new(PciBus::new(Rc::clone(topology), nodes)));
    }
    let pci = core.add_bus(Box::new(PciBus::new(topology.fully_isolating(), nodes)));
    core.group_as_linux(pci, linux_bus(hardware, Rc::clone(topology)));
    pci
}

/// The PCI bus on Linux's paths, which enables ACS itself.
fn linux_bus(hardware: &Rc<Hardware>, topology: Rc<Topology>) -> Box<LinuxPciBus> {
    let config = hardware.clone();
    let isolate = move |topology: &mut Topology, index| {
        pci::enable_acs_of(&mut *config.config.borrow_mut(), topology, index);
    };
    Box::new(LinuxPciBus::new(topology, Rc::new(isolate)))
}

/// Replaces the PCI bus by one with the functions that are there now.
///
/// # Errors
///
/// As [`Core::replace_bus`].
pub(super) fn renew_pci_bus(
    core: &mut Core<Handle>,
    hardware: &Rc<Hardware>,
    bus: BusId,
) -> Result<(), DeviceId> {
    let nodes = hardware.host_bridges.iter().map(|bridge| bridge.node).collect();
    let topology = &*hardware.topology;
    if core.path() == Path::Fixed {
        return core.replace_bus(bus, Box::new(PciBus::new(Rc::clone(topology), nodes)));
    }
    core.replace_bus(bus, Box::new(PciBus::new(topology.fully_isolating(), nodes)))?;
    // The bus of Linux's paths has enabled ACS in a topology of its own; the registers tell in which functions.
    let mut current = Topology::clone(topology);
    current.read_acs_again(&*hardware.config.borrow());
    core.group_as_linux(bus, linux_bus(hardware, Rc::new(current)));
    Ok(())
}
