//! The probe path: which device ends up in which IOMMU group, and why.
//!
//! Linux probes IOMMUs in two phases. Phase 1 happens when a device is added, and again for every
//! device when an IOMMU is published (the *replay*): firmware says which endpoint of which IOMMU
//! the device is, the IOMMU accepts it, the bus says with whom it shares a group, and the group
//! gets a default domain. Phase 2 happens when a driver binds: DMA ownership is claimed, and only
//! then does the driver's own probe run. So do `fixed` and `upstream`; [`Path`] chooses, and `legacy` has one phase.
//!
//! This crate is that path as a value with functions over it. It reads no hardware and knows no
//! firmware language, no bus and no driver by name: they come in through the traits [`Bus`],
//! [`FirmwareMap`], [`IommuOps`] and [`Driver`], and what happened goes out as [`Event`]s.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod activity;
mod check;
mod core;
mod data;
mod fixed;
mod linux;
mod path;
mod phase1;
mod phase2;
mod reason;
mod snapshot;
mod table;
mod traits;

pub use self::core::{BusId, Core};
pub use activity::Activity;
pub use check::Verdict;
pub use data::event::Event;
pub use data::finding::{Finding, Severity};
pub use path::Path;
pub use phase1::domain::Policy;
pub use reason::NoGroup;
pub use table::device::{
    Device, DeviceId, DmaState, DriverId, Fwspec, LinuxFwspec, Membership, NewDevice, Trigger,
};
pub use table::group::{DomainType, Group, GroupId};
pub use table::instance::{Instance, InstanceId, InstanceState};
pub use traits::bus::{Bus, Grouping, InputIds, Joining, Unit};
pub use traits::driver::{BindError, DmaClaim, Driver, Provides};
pub use traits::firmware::{
    FirmwareMap, FwNode, IsolationRequest, Manners, MapError, Reference, Translation, Untranslated,
};
pub use traits::iommu::{
    Accepted, DomainHandle, DomainKind, IommuOps, Prot, Refusal, RefusalCause, ReservedKind, ReservedRegion,
};

#[cfg(test)]
mod tests;
