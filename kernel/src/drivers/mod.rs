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

/// Calls `add` for all drivers, in the order in which they are to be registered. That of virtio-iommus does not accept
/// the features `declined`.
///
/// Not inlined, so that there is one copy of `add` instead of one for each call.
#[inline(never)]
pub(crate) fn all(
    hardware: &Rc<Hardware>,
    iommus: &Iommus,
    claims: &Claims,
    path: Path,
    declined: Features,
    add: &mut dyn FnMut(Box<dyn Driver<Handle>>),
) {
    let sequence = Sequence::of(path);
    let iommu = || Box::new(virtio_iommu::VirtioIommu::new(hardware.clone(), iommus.clone(), path, declined));
    if sequence == Sequence::IommuFirst {
        add(iommu());
    }
    add(Box::new(host_bridge::PciHostGeneric::new(hardware.clone())));
    add(Box::new(pcieport::PciePort::new(hardware.clone())));
    add(Box::new(shpchp::Shpchp::new(hardware.clone())));
    add(Box::new(Nominal::new(hardware.clone(), nominal::SERIAL, path)));
    add(Box::new(virtio::VirtioPci::new(hardware.clone(), claims.clone())));
    add(Box::new(virtio::VirtioMmio::new(hardware.clone(), claims.clone())));
    if sequence == Sequence::Linux {
        add(iommu());
    }
    for entry in nominal::MODULES {
        add(Box::new(Nominal::new(hardware.clone(), entry, path)));
    }
    for name in nominal::ON_REQUEST {
        add(Box::new(nominal::OnRequest(name)));
    }
}
