//! The virtio-iommu driver (virtio 1.2, section 5.13) on `virtio-drivers`' transports.
//!
//! [`Viommu::start`] takes a transport that the caller has built and returns a started IOMMU
//! instance, or the device's error. This crate does not depend on whether the transport is PCI or
//! MMIO, nor on firmware's description of the device.
//!
//! Duties of the caller:
//! - PCI: memory space and bus mastering enabled in the command register before [`Viommu::start`].
//! - MMIO: `MmioTransport::new` also accepts the legacy register layout, version 1, which is QEMU's
//!   default without `-global virtio-mmio.force-legacy=false`. Pass it on all the same:
//!   [`Viommu::start`] returns [`StartError::LegacyTransport`] and leaves the device alone.
//! - The transport's destructor is never run. `PciTransport`'s waits for a reset without a limit;
//!   the driver resets the device itself, within [`RESET_DEADLINE_US`].
//!
//! Rules that the driver keeps:
//! - Every wait has a deadline. A device that misses one is dead: it gets no further requests, and
//!   memory that it may still write to is neither reused nor freed until a reset is confirmed.
//! - An answer belongs to the request whose chain the device names, and a chain that is not in flight
//!   ends the instance.
//! - The driver's record of domains, endpoints and mappings matches the device's state. If an
//!   answer leaves that state open, one more request settles it, or the device is given up.
//! - Unsafe code is in the module `queue` alone, and on a host in the model device.
//!
//! The feature `model` adds a model device for tests on a host: see the module `model`.

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "model"))]
extern crate std;

mod by_endpoint;
mod clock;
mod config;
mod death;
mod domain;
mod driver;
mod event;
mod fault;
mod features;
mod identity;
mod limits;
#[cfg(any(test, feature = "model"))]
#[expect(unsafe_code, reason = "the model device accesses the memory that the driver shares with it")]
pub mod model;
mod property;
#[expect(unsafe_code, reason = "rings and buffers are shared with the device")]
mod queue;
mod raw;
mod request;
mod start;
mod start_error;
mod wire;

#[cfg(test)]
mod tests;

pub use clock::{Clock, REQUEST_DEADLINE_US, RESET_DEADLINE_US};
pub use config::Config;
pub use death::Death;
pub use driver::{Counters, Viommu};
pub use event::{Event, EventError};
pub use fault::{Fault, FaultAccess, FaultReason, Faults};
pub use features::Features;
pub use limits::{EVENT_BUFFERS, MAX_BATCH, MAX_PROBE_SIZE, QUEUE_SIZE};
pub use raw::{RawDevice, RawStartError, SplitAnswer};
pub use start_error::StartError;
