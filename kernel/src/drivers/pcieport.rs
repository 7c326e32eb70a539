//! PCIe ports: they forward requests and do no DMA of their own that an IOMMU would have to
//! translate.

use alloc::rc::Rc;
use alloc::string::ToString;

use pci::{Command, FunctionKind};
use probe::{BindError, DmaClaim, Driver, Provides};

use super::bind_error::failed;
use crate::hardware::{Handle, Hardware};

/// Class of a bridge that forwards the addresses in its windows.
pub(super) const NORMAL_BRIDGE: u32 = 0x06_0400;
/// Class of a bridge that also forwards addresses that no other device claims.
const SUBTRACTIVE_BRIDGE: u32 = 0x06_0401;
/// Class of a root complex event collector.
const EVENT_COLLECTOR: u32 = 0x08_0700;

/// Binds root, upstream and downstream ports and root complex event collectors, as Linux's driver of this name
/// does.
///
/// Like Linux's it is offered every bridge and finds out in its own probe whether that is a PCIe port
/// (`pcie_portdrv_probe`): the bridge's DMA has been set up by then.
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
        match *device {
            Handle::Function(index) => matches!(
                self.hardware.topology[index].class,
                NORMAL_BRIDGE | SUBTRACTIVE_BRIDGE | EVENT_COLLECTOR
            ),
            Handle::Platform(_) => false,
        }
    }

    fn manages_dma(&self) -> bool {
        true
    }

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        use FunctionKind::{DownstreamPort, RcEventCollector, RootPort, UpstreamPort};
        match *device {
            // Linux 7.3.4 has lost the type of a port that it corrected, and its driver declines.
            Handle::Function(index)
                if !self.hardware.topology[index].impossible_port
                    && matches!(
                        self.hardware.topology[index].kind,
                        RootPort | UpstreamPort | DownstreamPort | RcEventCollector
                    ) =>
            {
                self.hardware.enable(index, Command::BUS_MASTER).map_err(failed)?;
                Ok(Provides::Nothing)
            }
            _ => Err(BindError::Declined("not a PCIe port".to_string())),
        }
    }
}
