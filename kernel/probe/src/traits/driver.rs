//! What a driver is to the core: something that matches a device, and may bring an IOMMU with it.

use alloc::string::String;

use crate::phase2::claim::DmaClaim;
use crate::traits::iommu::SharedIommu;

/// What a driver brings to the machine when it has bound.
///
/// The core records the bind first, publishes the IOMMU then, and replays all devices last: so an
/// IOMMU can never be looked up before its driver is done with it.
pub enum Provides {
    /// An ordinary driver.
    Nothing,
    /// An IOMMU, ready to be published.
    Iommu(SharedIommu),
}

/// Why a driver's own probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// Something it needs is not there yet; try again later.
    Defer(String),
    /// The device is none of this driver's, although it looked like one; the next driver may try. Linux: a
    /// probe that returns `ENODEV` or `ENXIO`, which it does not warn of (`call_driver_probe`).
    Declined(String),
    /// The device cannot be driven; the sentence says why.
    Failed(String),
}

/// A driver, bound to at most one bus's devices, any number of them.
///
/// `D` is the machine's own handle to a device (its name, its registers): the core passes it through.
pub trait Driver<D> {
    /// Name as in the report: `virtio-pci`, `pcieport`, `virtio-iommu`.
    fn name(&self) -> &'static str;

    /// Whether the driver is for this device.
    fn matches(&self, device: &D) -> bool;

    /// True for drivers that do no DMA of their own and let others claim the group (`pcieport`,
    /// VFIO): binding them counts no ownership. Linux: `driver_managed_dma`.
    fn manages_dma(&self) -> bool {
        false
    }

    /// The driver's own probe; `claim` is the proof that the device's DMA is set up.
    ///
    /// # Errors
    ///
    /// See [`BindError`]; whatever was set up half has been undone.
    fn bind(&mut self, device: &D, claim: DmaClaim) -> Result<Provides, BindError>;

    /// Stops the device, so that it does no DMA when this returns. The core unpublishes an IOMMU before.
    fn unbind(&mut self, device: &D) {
        let _ = device;
    }
}
