//! The virtio-iommu, on PCI and on virtio-mmio: its driver starts the device and registers it with
//! the core.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::hex;
use probe::{BindError, DmaClaim, Driver, Path, Provides};
use viommu::{Features, Viommu};

use super::bind_error::failed;
use crate::hardware::virtio::Transport;
use crate::hardware::{Handle, Hardware};
use crate::log;
use crate::machine::clock::MachineClock;
use crate::machine::dma::IdentityHal;

/// The driver's name.
const NAME: &str = "virtio-iommu";

/// A virtio-iommu on any transport.
pub type Instance = Viommu<IdentityHal, Transport, MachineClock>;

/// A bound IOMMU.
pub struct Bound {
    /// The device that it is.
    pub device: Handle,
    /// Its driver.
    pub iommu: Rc<RefCell<Instance>>,
}

/// The bound IOMMUs, in the order in which they were bound.
pub type Iommus = Rc<RefCell<Vec<Bound>>>;

/// Binds virtio-iommus.
pub(crate) struct VirtioIommu {
    hardware: Rc<Hardware>,
    bound: Iommus,
    path: Path,
    declined: Features,
}

impl VirtioIommu {
    /// A driver that does not accept the features `declined`.
    pub(crate) fn new(hardware: Rc<Hardware>, bound: Iommus, path: Path, declined: Features) -> Self {
        Self { hardware, bound, path, declined }
    }
}

impl Driver<Handle> for VirtioIommu {
    fn name(&self) -> &'static str {
        NAME
    }

    fn matches(&self, device: &Handle) -> bool {
        self.hardware.is_iommu(*device)
    }

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        let transport = self.hardware.virtio_transport(*device).map_err(failed)?;
        let mut iommu = Viommu::start_without(transport, MachineClock, self.declined).map_err(failed)?;
        if self.path != Path::Fixed {
            iommu.refuse_granules_above_page();
        }
        let name = self.hardware.name(*device);
        log!("virtio_iommu {name}: input address: {} bits", iommu.config().input_bits());
        let mut mask = *b"0x################";
        hex::fill(&mut mask, iommu.config().page_size_mask);
        log!("virtio_iommu {name}: page mask: {}", str::from_utf8(&mask).unwrap_or_default());
        let iommu = Rc::new(RefCell::new(iommu));
        self.bound.borrow_mut().push(Bound { device: *device, iommu: iommu.clone() });
        Ok(Provides::Iommu(iommu))
    }

    fn unbind(&mut self, device: &Handle) {
        self.bound.borrow_mut().retain(|bound| bound.device != *device);
    }
}
