//! Bytes that firmware provides, made into one [`Description`] of the machine.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod description;

pub use description::{Console, Description, HostBridge, PlatformBus, PlatformDevice, PsciConduit};
