//! What drivers need of the machine: configuration space, the PCI topology, platform devices.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ptr::NonNull;

use addr::{PhysAddr, Range};
use boot::memory::{self, Kind, MapError};
use firmware::{Description, HostBridge, PlatformDevice};
use pci::{Command, FunctionIndex, RootBus, Topology};
use virtio_drivers::transport::SomeTransport;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};

use crate::config_space::ConfigSpace;
use crate::machine::dma::IdentityHal;
use crate::machine::ecam::VirtioEcam;

/// A transport of any kind, for the lifetime of the machine.
pub(crate) type Transport = SomeTransport<'static>;

/// A device, as drivers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    /// A PCI function.
    Function(FunctionIndex),
    /// A platform device, by its place in [`Hardware::platform`].
    Platform(usize),
}

/// The machine's devices and the ways to them.
pub(crate) struct Hardware {
    pub(crate) config: RefCell<ConfigSpace>,
    pub(crate) topology: Topology,
    pub(crate) host_bridges: Vec<HostBridge>,
    pub(crate) platform: Vec<PlatformDevice>,
    /// For each platform device that is a virtio-mmio slot: which device is in it.
    virtio_mmio: Vec<Option<u32>>,
}

impl Hardware {
    /// Numbers all buses, reads all functions, assigns addresses, each as `policy` says; enables ACS.
    pub(crate) fn enumerate(description: &Description, policy: &pci::Policy) -> Result<Rc<Self>, MapError> {
        let mut config = ConfigSpace::default();
        let mut roots = Vec::new();
        for bridge in &description.host_bridges {
            config.add(bridge.ecam, bridge.segment, bridge.first_bus, bridge.last_bus)?;
            roots.push(RootBus {
                segment: bridge.segment,
                first_bus: bridge.first_bus,
                last_bus: bridge.last_bus,
                windows: bridge.windows.clone(),
            });
        }
        let mut topology = pci::enumerate_with(&mut config, &roots, policy);
        // Before anything is grouped: what a port isolates is read from its control register.
        pci::enable_acs(&mut config, &mut topology);

        let mut virtio_mmio = Vec::new();
        for device in &description.platform_devices {
            virtio_mmio.push(virtio_mmio_type(device)?);
        }
        Ok(Rc::new(Self {
            config: RefCell::new(config),
            topology,
            host_bridges: description.host_bridges.clone(),
            platform: description.platform_devices.clone(),
            virtio_mmio,
        }))
    }

    /// The virtio device type (virtio 1.2, section 5) behind `handle`; none if it is no virtio device.
    pub(crate) fn virtio_type(&self, handle: Handle) -> Option<u32> {
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

    /// Switches a function's memory and DMA on and makes its BARs reachable.
    pub(crate) fn enable(&self, index: FunctionIndex, command: Command) -> Result<(), alloc::string::String> {
        use alloc::string::ToString;
        let function = &self.topology[index];
        for range in function.bars.iter().filter_map(|bar| bar.cpu) {
            memory::map(range, Kind::Device).map_err(|error| error.to_string())?;
        }
        pci::enable(&mut *self.config.borrow_mut(), function, command).map_err(|error| error.to_string())
    }

    /// The virtio transport of a device, whose DMA is on from now on.
    pub(crate) fn virtio_transport(&self, handle: Handle) -> Result<Transport, alloc::string::String> {
        use alloc::string::ToString;
        match handle {
            Handle::Function(index) => {
                self.enable(index, Command::MEMORY | Command::BUS_MASTER)?;
                let address = self.topology[index].address;
                let ecam = self.config.borrow().at(address).ok_or("no configuration space")?;
                let mut root = PciRoot::new(VirtioEcam(ecam));
                let function = DeviceFunction {
                    bus: address.bus,
                    device: address.devfn.device(),
                    function: address.devfn.function(),
                };
                PciTransport::new::<IdentityHal, _>(&mut root, function)
                    .map(SomeTransport::from)
                    .map_err(|error| error.to_string())
            }
            Handle::Platform(index) => {
                let registers = first_registers(&self.platform[index]).ok_or("no registers")?;
                let header =
                    NonNull::new(registers.start().0 as *mut VirtIOHeader).ok_or("registers at 0")?;
                // SAFETY: The registers were mapped when the slot was looked at, firmware says that they are
                // a virtio-mmio device's, and the core binds one driver to it at a time.
                unsafe { MmioTransport::new(header, registers.size() as usize) }
                    .map(SomeTransport::from)
                    .map_err(|error| error.to_string())
            }
        }
    }
}

/// PCI vendor ID of virtio devices (virtio 1.2, section 4.1.2).
pub(crate) const VIRTIO_VENDOR: u16 = 0x1af4;

/// "virt", the first register of a virtio-mmio device (virtio 1.2, section 4.2.2).
const VIRTIO_MMIO_MAGIC: u32 = 0x7472_6976;

fn first_registers(device: &PlatformDevice) -> Option<Range<PhysAddr>> {
    device.registers.first().copied()
}

/// The type of the device in a virtio-mmio slot; none if this is no such slot, or an empty one.
fn virtio_mmio_type(device: &PlatformDevice) -> Result<Option<u32>, MapError> {
    if !device.compatible.iter().any(|compatible| compatible == "virtio,mmio") {
        return Ok(None);
    }
    let Some(registers) = first_registers(device).filter(|range| range.size() >= 0x100) else {
        return Ok(None);
    };
    memory::map(registers, Kind::Device)?;
    let read = |offset: u64| {
        // SAFETY: The registers are at least 256 bytes, aligned by the page, and mapped; reading these two
        // has no side effect (virtio 1.2, section 4.2.2).
        unsafe { core::ptr::read_volatile((registers.start().0 + offset) as *const u32) }
    };
    let present = registers.start().0.is_multiple_of(4) && read(0) == VIRTIO_MMIO_MAGIC;
    Ok(if present { Some(read(8)).filter(|kind| *kind != 0) } else { None })
}
