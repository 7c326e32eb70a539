//! PCIe ports: they forward and do no DMA of their own that anyone would have to translate.

use alloc::rc::Rc;

use pci::{Command, FunctionKind};
use probe::{BindError, DmaClaim, Driver, Provides};

use crate::hardware::{Handle, Hardware};

/// Binds root, upstream and downstream ports, as Linux's driver of this name does.
pub(crate) struct PciePort {
    hardware: Rc<Hardware>,
}

impl PciePort {
    pub(crate) fn new(hardware: Rc<Hardware>) -> Self {
        Self { hardware }
    }
}

impl Driver<Handle> for PciePort {
    fn name(&self) -> &'static str {
        "pcieport"
    }

    fn matches(&self, device: &Handle) -> bool {
        use FunctionKind::{DownstreamPort, RootPort, UpstreamPort};
        match *device {
            Handle::Function(index) => {
                matches!(self.hardware.topology[index].kind, RootPort | UpstreamPort | DownstreamPort)
            }
            Handle::Platform(_) => false,
        }
    }

    fn manages_dma(&self) -> bool {
        true
    }

    fn bind(&mut self, device: &Handle, _: &DmaClaim) -> Result<Provides, BindError> {
        if let Handle::Function(index) = *device {
            self.hardware.enable(index, Command::BUS_MASTER).map_err(BindError::Failed)?;
        }
        Ok(Provides::Nothing)
    }
}
