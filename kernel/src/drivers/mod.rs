//! Drivers: their match rules, and what they do with their devices.
//!
//! To add one that does something: a file here that implements [`probe::Driver`], and a line in
//! [`all`]. To add one that only binds: a line in [`nominal`].

mod host_bridge;
mod nominal;
mod pcieport;
mod shpchp;
mod virtio;
mod virtio_iommu;
mod virtio_legacy;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt::Display;

use probe::{BindError, DmaClaim, Driver, Path};

use self::nominal::Nominal;
use crate::hardware::{Handle, Hardware};

pub use virtio_iommu::{Bound, Instance, Iommus};

/// The claims of drivers that have queues or a DMA engine, in the order of their binds. Each driver keeps its own claim
/// while it is bound.
#[derive(Clone, Debug, Default)]
pub struct Claims(Rc<RefCell<Vec<(Handle, DmaClaim)>>>);

impl Claims {
    /// Keeps the claim with which a driver has bound a device.
    pub fn keep(&self, device: Handle, claim: DmaClaim) {
        self.0.borrow_mut().push((device, claim));
    }

    /// Drops the claim of a device whose driver unbinds.
    pub fn drop_of(&self, device: Handle) {
        self.0.borrow_mut().retain(|(owner, _)| *owner != device);
    }

    /// The devices that have a claim.
    #[must_use]
    pub fn devices(&self) -> Vec<Handle> {
        self.0.borrow().iter().map(|(device, _)| *device).collect()
    }

    /// What `use_claim` makes of the claim of a device; none if it does not have one.
    pub fn with<T>(&self, device: Handle, use_claim: impl FnOnce(&DmaClaim) -> T) -> Option<T> {
        let claims = self.0.borrow();
        claims.iter().find(|(owner, _)| *owner == device).map(|(_, claim)| use_claim(claim))
    }
}

/// The order in which drivers are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// The IOMMU's driver first, so that its users wait as briefly as possible; the others as in
    /// Linux.
    IommuFirst,
    /// As observed in Linux: first built-in drivers, in the order of their initcalls, then modules
    /// in load order, with the virtio transports and the IOMMU before its other users. Devices of
    /// built-in drivers and virtio devices therefore wait for the IOMMU in that order, and are
    /// grouped in that order on paths that group devices when drivers bind.
    Linux,
}

impl Sequence {
    /// The order of a path.
    fn of(path: Path) -> Self {
        if path == Path::Fixed { Self::IommuFirst } else { Self::Linux }
    }
}

/// All drivers, in the order in which they are to be registered.
pub(crate) fn all(
    hardware: &Rc<Hardware>,
    iommus: &Iommus,
    claims: &Claims,
    path: Path,
) -> Vec<Box<dyn Driver<Handle>>> {
    let nominal =
        |entry| -> Box<dyn Driver<Handle>> { Box::new(Nominal::new(hardware.clone(), entry, path)) };
    let refusing =
        |entry| -> Box<dyn Driver<Handle>> { Box::new(Nominal::refusing(hardware.clone(), entry)) };
    let mut drivers: Vec<Box<dyn Driver<Handle>>> = vec![
        Box::new(host_bridge::PciHostGeneric::new(hardware.clone())),
        Box::new(pcieport::PciePort::new(hardware.clone())),
        Box::new(shpchp::Shpchp::new(hardware.clone())),
        nominal(nominal::SERIAL),
        Box::new(virtio::VirtioPci::new(hardware.clone(), claims.clone())),
        Box::new(virtio::VirtioMmio::new(hardware.clone(), claims.clone())),
    ];
    let iommu = Box::new(virtio_iommu::VirtioIommu::new(hardware.clone(), iommus.clone(), path));
    match Sequence::of(path) {
        Sequence::IommuFirst => drivers.insert(0, iommu),
        Sequence::Linux => drivers.push(iommu),
    }
    drivers.extend(nominal::MODULES.iter().map(|entry| nominal(*entry)));
    drivers.extend(nominal::REFUSING.iter().map(|entry| refusing(*entry)));
    for name in nominal::ON_REQUEST {
        drivers.push(Box::new(nominal::OnRequest(name)));
    }
    drivers
}

/// A driver's error in the form that the core expects.
fn failed(error: impl Display) -> BindError {
    BindError::Failed(error.to_string())
}
