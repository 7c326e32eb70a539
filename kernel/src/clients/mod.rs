//! Drivers that really bind: what they match, and what they do to their device.
//!
//! To add one: a file here that implements [`probe::Driver`], and a line in [`register_all`].

mod pcieport;
mod virtio;
mod virtio_iommu;
mod virtio_legacy;

use alloc::boxed::Box;
use alloc::rc::Rc;

use probe::Core;

use crate::hardware::{Handle, Hardware};

pub(crate) use virtio_iommu::{Bound, Iommus};

/// Registers all drivers, the IOMMU's first: so its users wait as short as possible.
pub(crate) fn register_all(core: &mut Core<Handle>, hardware: &Rc<Hardware>, iommus: &Iommus) {
    core.register_driver(Box::new(virtio_iommu::VirtioIommu::new(hardware.clone(), iommus.clone())));
    core.register_driver(Box::new(pcieport::PciePort::new(hardware.clone())));
    core.register_driver(Box::new(virtio::VirtioPci::new(hardware.clone())));
    core.register_driver(Box::new(virtio::VirtioMmio::new(hardware.clone())));
}
