//! Config space to topology: scan, numbering, BARs, capabilities, ACS, DMA aliases, grouping rules.
//!
//! [`enumerate`] goes in an order that matters: it finds every root bus, also those that firmware does
//! not describe, then gives every bridge its bus numbers, and only then reads functions, sizes their
//! BARs and assigns addresses. [`enable_acs`] comes next, and [`PciBus`] answers what the probe core
//! asks of a bus. Hardware is reached through [`ConfigAccess`] alone, so all of it runs on a host.
//!
//! Whatever is wrong with the machine is a finding in [`Topology::findings`]; nothing here panics on
//! what config space holds, and every walk has a bound.
//!
//! Deliberately missing: hot-plug reserves of bus numbers and windows, cardbus.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod acs;
mod alias;
mod ari;
mod assign;
mod bar;
mod bridge;
mod capability;
mod claim;
mod config_acs;
mod enumerate;
mod function;
mod group;
mod number;
mod parking;
mod pci_bus;
mod plan;
mod pool;
mod quirks;
mod read;
mod reports;
mod scan;
mod space;
mod sriov;
mod topology;
mod tree;
mod virtio;
mod window;

#[cfg(test)]
mod tests;

pub use access::{Command, ConfigAccess, EnableError, enable, while_silent};
pub use acs::{AcsFlags, AcsRegisters, AcsVerdict, enable_acs, enable_acs_of, read_acs};
pub use alias::{Alias, AliasMask};
pub use bar::{Bar, BarKind, BarRegister};
pub use bridge::{BridgeInfo, BridgeWindow, BusNumbers, WindowKind};
pub use capability::{Capability, ExtendedCapability};
pub use config_acs::{ConfigAcs, config_acs};
pub use enumerate::{Numbering, Policy, Resources, RootBus, enumerate, enumerate_with};
pub use function::{Function, FunctionKind, SubsystemId};
pub use group::{IsolationClass, Join};
pub use pci_bus::{Isolate, PciBus};
pub use quirks::Quirks;
pub use sriov::Sriov;
pub use topology::{Bus, BusIndex, FunctionIndex, HiddenRoot, Topology};
pub use virtio::{VENDOR_SPECIFIC, VirtioCapability, VirtioStructure, virtio_capabilities};
pub use window::{Occupied, WindowError, WindowFault, review_windows};
