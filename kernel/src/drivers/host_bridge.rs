//! Host bridges in a device tree whose own DMA is behind an IOMMU.

use alloc::rc::Rc;

use probe::{BindError, DmaClaim, Driver, Provides};

use crate::hardware::{Handle, Hardware};

/// Binds host bridges with an `iommus` property, without touching them.
///
/// Linux's driver of this name scans the buses behind a bridge: no function exists before the
/// bridge is bound, and the bridge is bound when its own DMA has been set up. A bridge without
/// `iommus` does not wait: its functions are added from the start, without this driver.
pub(crate) struct PciHostGeneric {
    hardware: Rc<Hardware>,
}

impl PciHostGeneric {
    pub(crate) fn new(hardware: Rc<Hardware>) -> Self {
        Self { hardware }
    }
}

impl Driver<Handle> for PciHostGeneric {
    fn name(&self) -> &'static str {
        "pci-host-generic"
    }

    fn matches(&self, device: &Handle) -> bool {
        match *device {
            Handle::Platform(index) => {
                let node = self.hardware.platform[index].node;
                self.hardware.waiting_bridges().any(|bridge| bridge.node == node)
            }
            Handle::Function(_) => false,
        }
    }

    fn bind(&mut self, _: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        Ok(Provides::Nothing)
    }
}
