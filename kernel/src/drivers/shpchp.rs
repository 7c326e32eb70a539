//! Conventional bridges with a hot-plug controller. Hot-plug itself is not supported.

use alloc::rc::Rc;
use alloc::string::ToString;

use probe::{BindError, DmaClaim, Driver, Provides};

use super::pcieport::NORMAL_BRIDGE;
use crate::hardware::{Handle, Hardware};

/// ID of the capability of a standard hot-plug controller (PCI Standard Hot-Plug Controller 1.0, section 4.1).
const SHPC: u8 = 0x0c;

/// Binds bridges with a standard hot-plug controller, and leaves the controller as it is.
///
/// Like Linux's it is offered every bridge, after `pcieport` has declined it, and finds out in its own probe
/// that there is no controller (`shpc_init`): the bridge's DMA has been set up by then.
pub(crate) struct Shpchp {
    hardware: Rc<Hardware>,
}

impl Shpchp {
    pub(crate) fn new(hardware: Rc<Hardware>) -> Self {
        Self { hardware }
    }
}

impl Driver<Handle> for Shpchp {
    fn name(&self) -> &'static str {
        "shpchp"
    }

    fn matches(&self, device: &Handle) -> bool {
        match *device {
            Handle::Function(index) => self.hardware.topology[index].class == NORMAL_BRIDGE,
            Handle::Platform(_) => false,
        }
    }

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        match *device {
            Handle::Function(index) if self.hardware.topology[index].capability(SHPC).is_some() => {
                Ok(Provides::Nothing)
            }
            _ => Err(BindError::Declined("not a standard hot-plug controller".to_string())),
        }
    }
}
