//! Why a device does not come into service.

use thiserror::Error;
use virtio_drivers::transport::DeviceType;

use crate::clock::RESET_DEADLINE_US;
use crate::limits::MAX_PROBE_SIZE;

/// Why a device could not be started.
///
/// After any of these, the driver has set FAILED and reset the device, except after
/// [`NotAnIommu`](Self::NotAnIommu) and [`LegacyTransport`](Self::LegacyTransport), which leave it
/// untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// The device is of another type.
    #[error("device type is {found:?}, expected an IOMMU (type 23)")]
    NotAnIommu {
        /// Its type.
        found: DeviceType,
    },
    /// The transport has the register layout from before virtio 1.0.
    #[error(
        "legacy device: the transport has the register layout from before virtio 1.0, expected version 2 \
         (QEMU: -global virtio-mmio.force-legacy=false)"
    )]
    LegacyTransport,
    /// The device did not confirm its reset.
    #[error("device status is still {status:#x} {RESET_DEADLINE_US} us after a reset, expected 0")]
    ResetTimeout {
        /// The status register at the end of the wait.
        status: u32,
    },
    /// Every bit of the status register is set after a reset: the device no longer answers.
    #[error("device status is {status:#x} after a reset, all bits set; the device does not respond")]
    Gone {
        /// The status register.
        status: u32,
    },
    /// The device does not offer `VERSION_1`.
    #[error("legacy device: features {offered:#x} do not have VERSION_1 (bit 32)")]
    NoVersion1 {
        /// The offered features.
        offered: u64,
    },
    /// The device does not offer `MAP_UNMAP`, which the driver needs.
    #[error("features {offered:#x} do not have MAP_UNMAP (bit 2), the only defined mode")]
    NoMapUnmap {
        /// The offered features.
        offered: u64,
    },
    /// The device cleared FEATURES_OK.
    #[error(
        "device offers features {offered:#x} but did not accept {asked:#x} (FEATURES_OK did not stay set)"
    )]
    FeaturesRefused {
        /// The offered features.
        offered: u64,
        /// The features that the driver requested.
        asked: u64,
    },
    /// A field of the configuration space cannot be read.
    #[error("configuration space at offset {offset}: {error}")]
    ConfigRead {
        /// Where.
        offset: usize,
        /// The transport's error.
        error: virtio_drivers::Error,
    },
    /// The configuration changed during every attempt to read it.
    #[error("configuration changed during each of {reads} reads")]
    ConfigUnstable {
        /// The number of attempts.
        reads: u32,
    },
    /// `page_size_mask` is 0.
    #[error("page_size_mask is 0, expected at least one page size")]
    PageSizeMask,
    /// `input_range` ends before it starts.
    #[error("input_range is {start:#x}..={end:#x}, expected start <= end")]
    InputRange {
        /// First address.
        start: u64,
        /// Last address.
        end: u64,
    },
    /// `domain_range` ends before it starts.
    #[error("domain_range is {start:#x}..={end:#x}, expected start <= end")]
    DomainRange {
        /// First ID.
        start: u32,
        /// Last ID.
        end: u32,
    },
    /// `probe_size` exceeds the driver's limit.
    #[error("probe_size is {0} bytes, expected at most {MAX_PROBE_SIZE}")]
    ProbeSize(u32),
    /// A queue could not be set up.
    #[error("queue {queue} of {available} entries: {error}, expected at least {needed} entries")]
    Queue {
        /// Index of the queue.
        queue: u16,
        /// The number of its entries; 0 if the queue does not exist.
        available: u32,
        /// The number of entries that the driver needs.
        needed: u32,
        /// The queue's error.
        error: virtio_drivers::Error,
    },
    /// There is no memory for the buffers.
    #[error("no memory for {bytes} bytes of buffers")]
    OutOfMemory {
        /// The size of the request.
        bytes: usize,
    },
    /// The device asks for a reset right after it was started.
    #[error("device status is {status:#x} after DRIVER_OK, expected DRIVER_OK and no error")]
    NotStarted {
        /// The status register.
        status: u32,
    },
}
