//! Drivers: their match rules, and what they do with their devices.
//!
//! To add one that does something: a file here that implements [`probe::Driver`], and a line in
//! [`all`]. To add one that only binds: a line in [`nominal`].

mod bind_error;
mod claims;
mod host_bridge;
mod nominal;
mod pcieport;
mod shpchp;
mod virtio;
mod virtio_iommu;
mod virtio_legacy;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use probe::{Driver, Path};
use viommu::Features;

use self::nominal::Nominal;
use crate::hardware::{Handle, Hardware};

pub use claims::Claims;
pub use virtio_iommu::{Bound, Instance, Iommus};

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

/// All drivers, in the order in which they are to be registered. That of virtio-iommus does not accept the features
/// `declined`.
pub(crate) fn all(
    hardware: &Rc<Hardware>,
    iommus: &Iommus,
    claims: &Claims,
    path: Path,
    declined: Features,
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
    let iommu = Box::new(virtio_iommu::VirtioIommu::new(hardware.clone(), iommus.clone(), path, declined));
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
