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
mod policy;
mod read;
mod rules;
mod topology;

#[cfg(test)]
mod tests;

pub use config::access::ConfigAccess;
pub use config::command::{Command, EnableError, enable, while_silent};
pub use enumerate::{enumerate, enumerate_with};
pub use function::acs::{AcsFlags, AcsRegisters};
pub use function::alias_mask::AliasMask;
pub use function::bar::{Bar, BarKind, BarRegister};
pub use function::bridge::{BridgeInfo, BusNumbers, WindowKind, Windows};
pub use function::capability::{Capability, ExtendedCapability};
pub use function::index::{BusIndex, FunctionIndex};
pub use function::kind::FunctionKind;
pub use function::sriov::Sriov;
pub use function::{Function, SubsystemId};
pub use pci_bus::{Isolate, LinuxPciBus, PciBus};
pub use place::host_window::{Occupied, WindowError, WindowFault, review_windows};
pub use policy::{EnumerationPolicy, Numbering, Quirks, Resources};
pub use read::acs::read_acs;
pub use read::virtio::{VENDOR_SPECIFIC, VirtioCapability, VirtioStructure, virtio_capabilities};
pub use rules::acs::{AcsVerdict, enable_acs, enable_acs_of};
pub use rules::alias::Alias;
pub use rules::config_acs::{ConfigAcs, config_acs};
pub use rules::group::{IsolationClass, Join};
pub use topology::Topology;
pub use topology::bus::{Bus, HiddenRoot};
pub use topology::root_bus::RootBus;
