//! A virtio device from before virtio 1.0, on PCI: all registers in an I/O BAR (virtio 1.2, section 4.1.4.10).

use addr::{PhysAddr, Range};

/// Offsets in the legacy header.
const GUEST_FEATURES: u64 = 4;
const DEVICE_STATUS: u64 = 18;
/// Size of the legacy header without MSI-X.
const HEADER_SIZE: u64 = 20;
/// Alignment of its widest register.
const HEADER_ALIGNMENT: u64 = 4;

const ACKNOWLEDGE: u8 = 1;
const DRIVER: u8 = 2;
const DRIVER_OK: u8 = 4;
const FAILED: u8 = 128;

/// Why a legacy device does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum LegacyError {
    /// The header does not fit.
    #[error("the I/O BAR {0} is shorter than a legacy virtio header")]
    Short(Range<PhysAddr>),
    /// The window of the host bridge is not aligned.
    #[error("the I/O BAR {0} is not aligned to {HEADER_ALIGNMENT} bytes for the CPU")]
    Misaligned(Range<PhysAddr>),
    /// Its status after DRIVER_OK.
    #[error("status is {0:#x} after DRIVER_OK")]
    Status(u8),
}

/// The registers of a legacy device.
pub(super) struct Registers(Range<PhysAddr>);

impl Registers {
    /// Reset, negotiation of no feature at all, DRIVER_OK. There is no FEATURES_OK before virtio 1.0.
    ///
    /// `registers` are an I/O BAR that is mapped for good.
    pub(super) fn start(registers: Range<PhysAddr>) -> Result<Self, LegacyError> {
        if registers.size() < HEADER_SIZE {
            return Err(LegacyError::Short(registers));
        }
        if !registers.start().0.is_multiple_of(HEADER_ALIGNMENT) {
            return Err(LegacyError::Misaligned(registers));
        }
        let this = Self(registers);
        this.set_status(0);
        this.set_status(ACKNOWLEDGE);
        this.set_status(ACKNOWLEDGE | DRIVER);
        // SAFETY: The register lies in the header, which is mapped and inside of the BAR, and aligned.
        unsafe { ((this.0.start().0 + GUEST_FEATURES) as *mut u32).write_volatile(0) };
        this.set_status(ACKNOWLEDGE | DRIVER | DRIVER_OK);
        match this.status() {
            status if status & FAILED == 0 && status & DRIVER_OK != 0 => Ok(this),
            status => Err(LegacyError::Status(status)),
        }
    }

    /// Stops the device.
    pub(super) fn reset(&self) {
        self.set_status(0);
    }

    fn status(&self) -> u8 {
        // SAFETY: As in `set_status`.
        unsafe { ((self.0.start().0 + DEVICE_STATUS) as *const u8).read_volatile() }
    }

    fn set_status(&self, status: u8) {
        // SAFETY: `start` has checked that the header lies in the BAR, which is mapped.
        unsafe { ((self.0.start().0 + DEVICE_STATUS) as *mut u8).write_volatile(status) };
    }
}
