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

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod activity;
mod bind;
mod bus;
mod core;
mod device;
mod direct;
mod domain;
mod driver;
mod event;
mod finding;
mod firmware;
mod fork;
mod group;
mod instance;
mod invariant;
mod iommu;
mod join;
mod linux;
mod path;
mod reason;
mod regroup;
mod resolve;
mod ring;

pub use self::core::{BusId, Core};
pub use activity::Activity;
pub use bus::{Bus, Grouping, InputIds, Joining, Unit};
pub use device::{Device, DeviceId, DmaState, DriverId, Fwspec, LinuxFwspec, Membership, NewDevice, Trigger};
pub use domain::Policy;
pub use driver::{BindError, DmaClaim, Driver, Provides};
pub use event::Event;
pub use finding::{Finding, Severity};
pub use firmware::{
    FirmwareMap, FwNode, IsolationRequest, Manners, MapError, Reference, Translation, Untranslated,
};
pub use group::{DomainType, Group, GroupId};
pub use instance::{Instance, InstanceId, InstanceState};
pub use invariant::Verdict;
pub use iommu::{
    Accepted, DomainHandle, DomainKind, IommuOps, Prot, Refusal, RefusalCause, ReservedKind, ReservedRegion,
};
pub use path::Path;
pub use reason::NoGroup;
