//! Drivers of the devices that exist for DMA alone. Linux has none for them; they are bound only in a run with DMA.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;

use kernel::machine::register_window::RegisterWindow;
use kernel::{Claims, Handle, Hardware, TransportError};
use pci::BarKind;
use probe::{BindError, DmaClaim, Driver, Provides};

use super::engine::{EduRegisters, TestDevice};

/// Vendor and device IDs.
const EDU: (u16, u16) = (0x1234, 0x11e8);
/// QEMU has given this ID to two devices.
const TEST_DEVICES: (u16, u16) = (0x1b36, 0x0005);

/// The kinds of devices that have a driver here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `edu`.
    Edu,
    /// `iommu-testdev`.
    TestDevice,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Edu, Self::TestDevice];

    /// Whether a device is of this kind.
    pub(crate) fn is(self, hardware: &Hardware, device: Handle) -> bool {
        let Handle::Function(index) = device else { return false };
        let function = &hardware.topology[index];
        let id = (function.vendor, function.device);
        match self {
            Self::Edu => id == EDU,
            // `pci-testdev` has a second BAR.
            Self::TestDevice => {
                id == TEST_DEVICES && function.bars().iter().all(|bar| bar.kind != BarKind::Io)
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Edu => "edu",
            Self::TestDevice => "iommu-testdev",
        }
    }
}

/// All drivers.
pub(crate) fn all(hardware: &Rc<Hardware>, claims: &Claims) -> impl Iterator<Item = Box<dyn Driver<Handle>>> {
    Kind::ALL.into_iter().map(|kind| -> Box<dyn Driver<Handle>> {
        Box::new(EngineDriver { hardware: hardware.clone(), claims: claims.clone(), kind })
    })
}

/// Binds the devices of one kind.
struct EngineDriver {
    hardware: Rc<Hardware>,
    claims: Claims,
    kind: Kind,
}

impl Driver<Handle> for EngineDriver {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn matches(&self, device: &Handle) -> bool {
        self.kind.is(&self.hardware, *device)
    }

    fn bind(&mut self, device: &Handle, claim: DmaClaim) -> Result<Provides, BindError> {
        window(&self.hardware, *device).map_err(|error| BindError::Failed(error.to_string()))?;
        self.claims.keep(*device, claim);
        Ok(Provides::Nothing)
    }

    fn unbind(&mut self, device: &Handle) {
        self.claims.drop_of(*device);
    }
}

/// The registers of an `edu`.
///
/// # Errors
///
/// They cannot be used.
pub(crate) fn edu(hardware: &Hardware, device: Handle) -> Result<EduRegisters, TransportError> {
    window(hardware, device).map(EduRegisters)
}

/// The registers of an `iommu-testdev`.
///
/// # Errors
///
/// They cannot be used.
pub(crate) fn test_device(hardware: &Hardware, device: Handle) -> Result<TestDevice, TransportError> {
    window(hardware, device).map(TestDevice)
}

fn window(hardware: &Hardware, device: Handle) -> Result<RegisterWindow, TransportError> {
    let Handle::Function(index) = device else { return Err(TransportError::NoRegisters) };
    // SAFETY: The first word of `edu` identifies it; that of `iommu-testdev` starts a transfer only if one was
    // asked for.
    unsafe { hardware.register_window(index, 0) }
}
