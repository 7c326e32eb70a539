//! The interface of a driver: it matches devices, and may provide an IOMMU.

use alloc::string::String;

use crate::phase2::claim::DmaClaim;
use crate::traits::iommu::SharedIommu;

/// What a driver provides once it has bound.
///
/// The core first records the bind, then publishes the IOMMU, then replays all devices. An IOMMU can therefore not be
/// looked up before its driver has finished.
pub enum Provides {
    /// An ordinary driver.
    Nothing,
    /// An IOMMU, ready to be published.
    Iommu(SharedIommu),
}

/// Why a driver's own probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// Something that it needs is missing; try again later.
    Defer(String),
    /// The driver does not support this device although it matches; the next driver may try. Linux: a probe that
    /// returns `ENODEV` or `ENXIO`, about which it does not warn (`call_driver_probe`).
    Declined(String),
    /// The device cannot be driven, for this reason.
    Failed(String),
}

/// A driver of any number of devices on one bus.
///
/// `D` is the machine's own handle to a device (its name, its registers), which the core passes on.
pub trait Driver<D> {
    /// Name as in the report: `virtio-pci`, `pcieport`, `virtio-iommu`.
    fn name(&self) -> &'static str;

    /// Whether the driver is for this device.
    fn matches(&self, device: &D) -> bool;

    /// True for drivers that do not do DMA themselves and let others claim the group (`pcieport`, VFIO): such a bind
    /// does not count as an owner. Linux: `driver_managed_dma`.
    fn manages_dma(&self) -> bool {
        false
    }

    /// The driver's own probe; `claim` is the proof that the device's DMA is set up.
    ///
    /// # Errors
    ///
    /// See [`BindError`]; everything that was set up until then has been undone.
    fn bind(&mut self, device: &D, claim: DmaClaim) -> Result<Provides, BindError>;

    /// Stops the device: it does not do DMA any more when this returns. The core has unpublished an IOMMU before.
    fn unbind(&mut self, device: &D) {
        let _ = device;
    }
}
