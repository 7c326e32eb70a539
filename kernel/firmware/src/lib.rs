//! Bytes that firmware provides, made into one [`Description`] of the machine.
//!
//! Each firmware language is a module; all end in the same types. What a parser makes of a machine does
//! not say from which language it came.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod acpi;
mod description;
pub mod device_tree;
mod findings;
mod ranges;
pub mod route;

pub use description::{
    Console, Description, FunctionBus, FunctionNode, HostBridge, LinuxView, PlatformBus, PlatformDevice,
    PsciConduit,
};
