//! PCI: from configuration space to a topology, addresses, and the rules for IOMMU groups.
//!
//! The order of [`enumerate`] matters: it finds all root buses, including those that firmware does not describe,
//! numbers all bridges, and only then reads functions, measures their BARs and assigns addresses. After that comes
//! [`enable_acs`]; [`PciBus`] is the topology as the probe core sees it. All access to hardware goes through
//! [`ConfigAccess`], so everything runs on a host.
//!
//! The modules are layers; each uses only those before it: `function`, `policy`, `findings` and `topology` (data),
//! `config` (access and registers), `read`, `place`, `rules`, `explain`, `slot`, `enumerate`, `hot_plug`, `pci_bus`.
//!
//! What is wrong with the machine is a finding in [`Topology::findings`]. No content of config space makes this crate
//! panic, and every walk has a bound.
//!
//! Deliberately missing: bus numbers reserved for hot-plug, conventional hot-plug, buses behind CardBus bridges.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod enumerate;
mod explain;
mod findings;
mod function;
mod hot_plug;
mod pci_bus;
mod place;
mod policy;
mod read;
mod rules;
mod slot;
mod topology;

#[cfg(test)]
mod tests;

pub use config::access::ConfigAccess;
pub use config::command::{Command, EnableError, disable, enable, enable_after};
pub use enumerate::{enumerate, enumerate_with};
pub use explain::Explanation;
pub use function::acs::{AcsFlags, AcsRegisters};
pub use function::alias_mask::AliasMask;
pub use function::bar::{Bar, BarKind, BarRegister};
pub use function::bridge::{BridgeInfo, BusNumbers, WindowKind, Windows};
pub use function::capability::{Capability, ExtendedCapability};
pub use function::index::{BusIndex, FunctionIndex};
pub use function::kind::FunctionKind;
pub use function::sriov::Sriov;
pub use function::{Function, SubsystemId};
pub use hot_plug::plug::plug;
pub use pci_bus::{Isolate, LinuxPciBus, PciBus};
pub use place::host_window::{Occupied, WindowError, WindowFault, review_windows};
pub use policy::{EnumerationPolicy, Numbering, Quirks, Resources};
pub use read::acs::read_acs;
pub use read::virtio::{VENDOR_SPECIFIC, VirtioCapability, VirtioStructure, virtio_capabilities};
pub use rules::acs::{AcsVerdict, enable_acs, enable_acs_of};
pub use rules::alias::Alias;
pub use rules::config_acs::{ConfigAcs, config_acs};
pub use rules::group::{IsolationClass, Join};
pub use slot::{Slot, SlotState};
pub use topology::Topology;
pub use topology::bus::{Bus, HiddenRoot};
pub use topology::root_bus::RootBus;
