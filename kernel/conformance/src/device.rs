//! What the cases need of a device.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Bytes of the configuration space (virtio 1.2, section 5.13.4).
pub const CONFIG_SIZE: usize = 40;

/// Content of device-writable memory before a request is sent.
pub const POISON: u8 = 0xff;

/// Feature bits (virtio 1.2, section 5.13.3).
pub mod feature {
    /// `input_range` is valid.
    pub const INPUT_RANGE: u64 = 1 << 0;
    /// `domain_range` is valid.
    pub const DOMAIN_RANGE: u64 = 1 << 1;
    /// MAP and UNMAP are available.
    pub const MAP_UNMAP: u64 = 1 << 2;
    /// Endpoints without a domain bypass; superseded.
    pub const BYPASS: u64 = 1 << 3;
    /// PROBE is available.
    pub const PROBE: u64 = 1 << 4;
    /// MAP has the flag MMIO.
    pub const MMIO: u64 = 1 << 5;
    /// `bypass` can be written, and ATTACH has the flag BYPASS.
    pub const BYPASS_CONFIG: u64 = 1 << 6;
    /// The device follows the specification since its version 1.0.
    pub const VERSION_1: u64 = 1 << 32;
}

/// One chain of descriptors: each element is a descriptor of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What the device reads.
    pub readable: Vec<Vec<u8>>,
    /// Sizes of what the device can write, in bytes.
    pub writable: Vec<usize>,
}

/// What the device returned for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAnswer {
    /// The used length.
    pub used: u32,
    /// All device-writable bytes; what the device did not write is [`POISON`].
    pub bytes: Vec<u8>,
}

/// The device did not return a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// Whether it set `DEVICE_NEEDS_RESET` instead.
    pub needs_reset: bool,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.needs_reset { "no answer, DEVICE_NEEDS_RESET" } else { "no answer" })
    }
}

/// Why a device cannot be started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartError(pub String);

/// A virtio-iommu below its driver: requests are bytes, and nothing about them is checked.
pub trait Device {
    /// The features that the device offers.
    fn offered(&self) -> u64;

    /// The number of descriptors that a batch can have.
    fn queue_size(&self) -> usize;

    /// Resets the device and starts it with these features.
    ///
    /// # Errors
    ///
    /// The device does not confirm the reset, does not accept the features, or does not start.
    fn restart(&mut self, features: u64) -> Result<(), RestartError>;

    /// Sends all requests with one notification, and waits for their answers, which are in the order of the requests.
    ///
    /// # Errors
    ///
    /// The device did not return all of them within the deadline.
    fn exchange(&mut self, batch: &[Request]) -> Result<Vec<DeviceAnswer>, NoAnswer>;

    /// The configuration space.
    fn config(&mut self) -> [u8; CONFIG_SIZE];

    /// Writes the field `bypass`.
    fn write_bypass(&mut self, value: u8);

    /// The next record of the event queue, if there is one.
    fn next_event(&mut self) -> Option<Vec<u8>>;
}
