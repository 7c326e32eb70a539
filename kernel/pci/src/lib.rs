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

mod config;
mod enumerate;
mod findings;
mod function;
mod pci_bus;
mod place;
mod read;
mod rules;
mod topology;

#[cfg(test)]
mod tests;

pub use config::access::{Command, ConfigAccess, EnableError, enable, while_silent};
pub use enumerate::{Numbering, Policy, Resources, RootBus, enumerate, enumerate_with};
pub use function::bridge::{BridgeInfo, BridgeWindow, BusNumbers, WindowKind};
pub use function::{Function, FunctionKind, SubsystemId};
pub use pci_bus::{Isolate, PciBus};
pub use place::host_window::{Occupied, WindowError, WindowFault, review_windows};
pub use read::bar::{Bar, BarKind, BarRegister};
pub use read::capability::{Capability, ExtendedCapability};
pub use read::sriov::Sriov;
pub use read::virtio::{VENDOR_SPECIFIC, VirtioCapability, VirtioStructure, virtio_capabilities};
pub use rules::acs::{AcsFlags, AcsRegisters, AcsVerdict, enable_acs, enable_acs_of, read_acs};
pub use rules::alias::{Alias, AliasMask};
pub use rules::config_acs::{ConfigAcs, config_acs};
pub use rules::group::{IsolationClass, Join};
pub use rules::quirks::Quirks;
pub use topology::{Bus, BusIndex, FunctionIndex, HiddenRoot, Topology};
