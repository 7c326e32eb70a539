//! Why a device that was in service is given up.

use core::fmt;

use virtio_drivers::transport::DeviceStatus;

use crate::clock::REQUEST_DEADLINE_US;

/// Why a device was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A request was not answered within [`REQUEST_DEADLINE_US`].
    Silent {
        /// The status register at that moment; bit 6 is the device asking for a reset.
        status: u32,
    },
    /// The used ring names a chain that is not in flight.
    WrongChain {
        /// The chain that it names.
        found: u32,
    },
    /// The used ring moved while no request was in flight.
    UnaskedAnswer,
    /// Two answers in a row were unreadable, so the device's state is unknown.
    OutOfStep,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { status } => {
                write!(f, "no answer within {REQUEST_DEADLINE_US} us, device status {status:#x}")?;
                if status & DeviceStatus::DEVICE_NEEDS_RESET.bits() != 0 {
                    f.write_str(" (DEVICE_NEEDS_RESET)")?;
                }
                Ok(())
            }
            Self::WrongChain { found } => {
                write!(f, "the used ring of the request queue contains chain {found}, which is not in flight")
            }
            Self::UnaskedAnswer => {
                f.write_str("the used ring of the request queue advanced without a request")
            }
            Self::OutOfStep => {
                f.write_str("the device's responses cannot be read, so the state of its domains is unknown")
            }
        }
    }
}
