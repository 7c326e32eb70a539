//! The probe path: which device ends up in which IOMMU group, and why.
//!
//! Linux probes IOMMUs in two phases. Phase 1 happens when a device is added, and again for every
//! device when an IOMMU is published (the *replay*): firmware's map gives the device's IOMMU and
//! endpoint, the IOMMU accepts it, the bus determines the devices that share its group, and the
//! group gets a default domain. Phase 2 happens when a driver binds: DMA ownership is claimed, and
//! only then does the driver's own probe run. `fixed` and `upstream` work in this way, `legacy` has
//! one phase; [`Path`] selects one.
//!
//! This crate implements that path as a value with functions over it. It does not access hardware,
//! and does not depend on any firmware language, bus or driver: these implement the traits [`Bus`],
//! [`FirmwareMap`], [`IommuOps`] and [`Driver`]. The results are [`Event`]s.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod activity;
mod check;
mod core;
mod data;
mod fixed;
mod grouping;
mod linux;
mod linux_view;
mod owners;
mod phase1;
mod phase2;
mod reason;
mod snapshot;
mod table;
mod traits;

pub use self::core::Core;
pub use activity::Activity;
pub use data::dma::{DmaState, Fwspec, Membership, Trigger, Ungrouped};
pub use data::domain::{DomainKind, DomainPolicy, DomainType, Mapping, Prot};
pub use data::event::Event;
pub use data::finding::{Finding, Severity};
pub use data::findings::{FindingSource, Findings, Mark};
pub use data::firmware::{InputIds, MapError, Reference, Translation, Untranslated};
pub use data::id::{BusId, DeviceId, DomainHandle, DriverId, FwNode, GroupId, InstanceId, Unit};
pub use data::linux_event::LinuxEvent;
pub use data::ownership::{ClaimRefused, OwnedGroup, Owner, TypeRefused, TypeRequest};
pub use data::path::Path;
pub use data::refusal::{Accepted, JoinError, Refusal, RefusalCause};
pub use data::reserved::{ReservedKind, ReservedRegion};
pub use fixed::Replay;
pub use linux::adapter::{IsolationRequest, Joining, LinuxBus, LinuxFirmware, LinuxQuirks};
pub use linux::reason::LinuxReason;
pub use linux_view::LinuxView;
pub use phase1::usable::{Join, UsableInstances};
pub use phase2::claim::{Direct, Dma, DmaClaim};
pub use phase2::domain::GroupDomain;
pub use reason::NoGroup;
pub use snapshot::Models;
pub use table::device::{Device, NewDevice};
pub use table::group::Group;
pub use table::instance::{Instance, InstanceState, Published};
pub use table::invariant::Verdict;
pub use table::ownership::Ownership;
pub use traits::bus::{Bus, Grouping};
pub use traits::driver::{BindError, Driver, Provides};
pub use traits::firmware::FirmwareMap;
pub use traits::iommu::{IommuOps, SharedIommu};

#[cfg(test)]
mod tests;
