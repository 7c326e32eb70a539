//! virtio devices except IOMMUs: brought up to DRIVER_OK, without any queue.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use pci::{BarKind, FunctionIndex, VENDOR_SPECIFIC};
use probe::{BindError, DmaClaim, Driver, Provides};
use viommu::{Clock, RESET_DEADLINE_US};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport as _};

use super::bind_error::failed;
use super::claims::Claims;
use super::virtio_legacy;
use crate::hardware::virtio::{Transport, TransportError};
use crate::hardware::{Handle, Hardware, VIRTIO_VENDOR};
use crate::machine::clock::MachineClock;

/// `VIRTIO_F_VERSION_1` (virtio 1.2, section 6).
const VERSION_1: u64 = 1 << 32;
/// `VIRTIO_F_ACCESS_PLATFORM`: the device uses platform addresses for DMA, that is, through the
/// IOMMU. A device that offers it refuses to work with a driver that does not accept it (QEMU 7.2).
const ACCESS_PLATFORM: u64 = 1 << 33;
/// `VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE` (virtio 1.2, section 5.15.3).
const MEM_UNPLUGGED_INACCESSIBLE: u64 = 1 << 1;

/// PCI device IDs of virtio devices, of which the first 64 are transitional (virtio 1.2, section 4.1.2).
const VIRTIO_DEVICES: RangeInclusive<u16> = 0x1000..=0x107f;

/// Binds virtio devices on PCI.
///
/// Like Linux's it is offered every device of the vendor, `ivshmem` among them, and finds out in
/// its own probe that it is not a virtio device (`virtio_pci_modern_probe`,
/// `virtio_pci_legacy_probe`): the device's DMA has been set up by then.
pub(crate) struct VirtioPci {
    hardware: Rc<Hardware>,
    /// The running devices. Dropping a transport resets its device.
    running: Vec<(FunctionIndex, Running)>,
    claims: Claims,
}

/// Why a virtio device does not run.
#[derive(Debug, thiserror::Error)]
enum VirtioError {
    /// Its registers cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It is a legacy device and does not start.
    #[error(transparent)]
    Legacy(#[from] virtio_legacy::LegacyError),
    /// It has gone.
    #[error("all bits of the status are set after a reset; the device does not respond")]
    Gone,
    /// It is still being reset.
    #[error("the device does not confirm a reset within {RESET_DEADLINE_US} us")]
    NoReset,
    /// It does not accept the driver's features.
    #[error("the device offers features {offered:#x} but does not accept {taken:#x}")]
    Features {
        /// The features that it offers.
        offered: u64,
        /// The features that the driver accepts.
        taken: u64,
    },
    /// It does not run after DRIVER_OK.
    #[error("status is {found:#x} after DRIVER_OK, expected {expected:#x}")]
    Status {
        /// Its status.
        found: u32,
        /// The status of a running device.
        expected: u32,
    },
}

enum Running {
    Modern { _transport: Transport },
    Legacy(virtio_legacy::Registers),
}

impl VirtioPci {
    pub(crate) fn new(hardware: Rc<Hardware>, claims: Claims) -> Self {
        Self { hardware, running: Vec::new(), claims }
    }

    fn start(&self, index: FunctionIndex) -> Result<Running, VirtioError> {
        let function = &self.hardware.topology[index];
        // Only a modern device has vendor capabilities that locate its registers.
        let modern = function.capabilities.iter().any(|capability| capability.id == VENDOR_SPECIFIC);
        if !modern && let Some(bar) = function.bar(0).filter(|bar| bar.kind == BarKind::Io) {
            self.hardware
                .enable(index, pci::Command::IO | pci::Command::BUS_MASTER)
                .map_err(TransportError::from)?;
            let registers = self.hardware.map_bar(index, bar)?;
            return Ok(Running::Legacy(virtio_legacy::Registers::start(registers)?));
        }
        let mut transport = self.hardware.virtio_transport(Handle::Function(index))?;
        bring_up(&mut transport)?;
        Ok(Running::Modern { _transport: transport })
    }
}

impl Driver<Handle> for VirtioPci {
    fn name(&self) -> &'static str {
        "virtio-pci"
    }

    fn matches(&self, device: &Handle) -> bool {
        match *device {
            Handle::Function(index) => {
                self.hardware.topology[index].vendor == VIRTIO_VENDOR && !self.hardware.is_iommu(*device)
            }
            Handle::Platform(_) => false,
        }
    }

    fn bind(&mut self, device: &Handle, claim: DmaClaim) -> Result<Provides, BindError> {
        if let Handle::Function(index) = *device {
            if !VIRTIO_DEVICES.contains(&self.hardware.topology[index].device) {
                return Err(BindError::Declined("the device ID is not a virtio device ID".to_string()));
            }
            let running = self.start(index).map_err(failed)?;
            self.running.push((index, running));
            self.claims.keep(*device, claim);
        }
        Ok(Provides::Nothing)
    }

    fn unbind(&mut self, device: &Handle) {
        self.claims.drop_of(*device);
        if let Handle::Function(index) = *device
            && let Some(place) = self.running.iter().position(|(running, _)| *running == index)
            && let (_, Running::Legacy(registers)) = self.running.swap_remove(place)
        {
            registers.reset();
        }
    }
}

/// Binds virtio devices on virtio-mmio.
pub(crate) struct VirtioMmio {
    hardware: Rc<Hardware>,
    running: BTreeMap<usize, Transport>,
    claims: Claims,
}

impl VirtioMmio {
    pub(crate) fn new(hardware: Rc<Hardware>, claims: Claims) -> Self {
        Self { hardware, running: BTreeMap::new(), claims }
    }
}

impl Driver<Handle> for VirtioMmio {
    fn name(&self) -> &'static str {
        "virtio-mmio"
    }

    fn matches(&self, device: &Handle) -> bool {
        matches!(device, Handle::Platform(_))
            && self.hardware.virtio_type(*device).is_some()
            && !self.hardware.is_iommu(*device)
    }

    fn bind(&mut self, device: &Handle, claim: DmaClaim) -> Result<Provides, BindError> {
        if let Handle::Platform(index) = *device {
            let mut transport = self.hardware.virtio_transport(*device).map_err(failed)?;
            bring_up(&mut transport).map_err(failed)?;
            self.running.insert(index, transport);
            self.claims.keep(*device, claim);
        }
        Ok(Provides::Nothing)
    }

    fn unbind(&mut self, device: &Handle) {
        self.claims.drop_of(*device);
        if let Handle::Platform(index) = *device {
            self.running.remove(&index);
        }
    }
}

/// Reset, negotiation, DRIVER_OK (virtio 1.2, section 3.1.1).
///
/// It accepts no device feature except the one that a memory device requires (virtio 1.2, section
/// 5.15.6.1; QEMU: `virtio_mem_validate_features`), and sets up no queue, so the device does no DMA
/// yet.
fn bring_up(transport: &mut Transport) -> Result<(), VirtioError> {
    transport.set_status(DeviceStatus::empty());
    let start = MachineClock.now_us();
    while !transport.get_status().is_empty() {
        if transport.get_status() == DeviceStatus::all() {
            return Err(VirtioError::Gone);
        }
        if MachineClock.now_us().saturating_sub(start) > RESET_DEADLINE_US {
            return Err(VirtioError::NoReset);
        }
    }
    let mut status = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
    transport.set_status(status);
    let offered = transport.read_device_features();
    let own = if transport.device_type() == DeviceType::Memory { MEM_UNPLUGGED_INACCESSIBLE } else { 0 };
    let taken = offered & (VERSION_1 | ACCESS_PLATFORM | own);
    transport.write_driver_features(taken);
    if offered & VERSION_1 != 0 {
        status |= DeviceStatus::FEATURES_OK;
        transport.set_status(status);
        if !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
            transport.set_status(DeviceStatus::FAILED);
            return Err(VirtioError::Features { offered, taken });
        }
    }
    status |= DeviceStatus::DRIVER_OK;
    transport.set_status(status);
    let found = transport.get_status();
    if found.contains(DeviceStatus::DEVICE_NEEDS_RESET) || !found.contains(status) {
        return Err(VirtioError::Status { found: found.bits(), expected: status.bits() });
    }
    Ok(())
}
