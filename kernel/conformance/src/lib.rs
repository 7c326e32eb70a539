//! Protocol cases for a virtio-iommu: what the device answers, compared with the specification (virtio 1.2, section
//! 5.13, and section 2 where queues and resets are concerned).
//!
//! [`run`] sends the requests of every [`Case`] to a [`Device`] and returns what each case resulted in. The caller
//! decides what a deviation means: this crate knows the specification and no implementation.
//!
//! Rules that the crate keeps:
//! - Every case begins on a device that was just reset, with all offered features, without domains, and with the initial
//!   value of the field `bypass`. So a case does not depend on the cases before it.
//! - A case names the clause that it tests. Where the clause is a MAY, or silent, every answer that it leaves open
//!   conforms.
//! - An answer is described without numbers of the machine (endpoint IDs, addresses), so that the description can be
//!   compared between machines.
//! - A case that is known to stop a device's host has a [`Hazard`], and only runs if the caller names it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bench;
mod case;
mod cases;
mod clause;
mod config;
mod deviation;
mod device;
mod machine;
mod message;
mod need;
mod property;
mod script;
mod status;
mod suite;
mod wanted;

pub use case::{Case, Hazard};
pub use cases::all;
pub use clause::{Clause, Level};
pub use device::{CONFIG_SIZE, Device, DeviceAnswer, NoAnswer, POISON, Request, RestartError, feature};
pub use machine::Machine;
pub use suite::{CaseResult, Outcome, SuiteResult, run};
