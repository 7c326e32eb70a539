//! Drivers: what they match, and what they do to their device.
//!
//! To add one that does something: a file here that implements [`probe::Driver`], and a line in [`all`]. To add
//! one in name alone: a line in [`nominal`].

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
use core::fmt::Display;

use probe::{BindError, Driver, Path};

use self::nominal::Nominal;
use crate::hardware::{Handle, Hardware};

pub(crate) use virtio_iommu::{Bound, Iommus};

/// In which order drivers are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// The IOMMU's first, so that its users wait as short as possible; else as Linux.
    IommuFirst,
    /// As the Linux kernels that were asked: first what is built in, in the order of its initcalls, then modules
    /// as they were loaded, the virtio transports and the IOMMU before its other users. So whoever is bound by
    /// what is built in, or is a virtio device, waits for the IOMMU in that order, and is grouped in it where
    /// groups come with drivers.
    Linux,
}

impl Sequence {
    /// The order that goes with a path.
    fn of(path: Path) -> Self {
        if path == Path::Fixed { Self::IommuFirst } else { Self::Linux }
    }
}

/// All drivers, in the order in which they are to be registered.
pub(crate) fn all(hardware: &Rc<Hardware>, iommus: &Iommus, path: Path) -> Vec<Box<dyn Driver<Handle>>> {
    let nominal =
        |entry| -> Box<dyn Driver<Handle>> { Box::new(Nominal::new(hardware.clone(), entry, path)) };
    let refusing =
        |entry| -> Box<dyn Driver<Handle>> { Box::new(Nominal::refusing(hardware.clone(), entry)) };
    let mut drivers: Vec<Box<dyn Driver<Handle>>> = vec![
        Box::new(host_bridge::PciHostGeneric::new(hardware.clone())),
        Box::new(pcieport::PciePort::new(hardware.clone())),
        Box::new(shpchp::Shpchp::new(hardware.clone())),
        nominal(nominal::SERIAL),
        Box::new(virtio::VirtioPci::new(hardware.clone())),
        Box::new(virtio::VirtioMmio::new(hardware.clone())),
    ];
    let iommu = Box::new(virtio_iommu::VirtioIommu::new(hardware.clone(), iommus.clone()));
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

/// A driver's error, as the core takes it.
fn failed(error: impl Display) -> BindError {
    BindError::Failed(error.to_string())
}
