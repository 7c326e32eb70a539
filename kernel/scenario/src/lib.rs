//! Scenarios: machines as data, with the steps that change them, in the given order or in all
//! possible orders.
//!
//! A [`Scenario`] lists devices, drivers and IOMMUs, their description by firmware, and the steps.
//! A [`World`] is that machine with the same core and the same PCI rules as in the kernel; only
//! registers and drivers are models. With the feature `explore`, [`explore`](fn@explore) takes the
//! steps in every possible order, and lets every piece of the probe path be interrupted by every
//! other.

#![cfg_attr(not(feature = "explore"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod choice;
mod choices;
mod config;
mod copied;
mod error;
mod events;
#[cfg(feature = "explore")]
mod explore;
mod firmware;
mod model;
mod names;
mod order;
mod ownership;
mod pieces;
mod plan;
mod race;
mod spec;
mod step;
mod steps;
mod two_cpus;
mod world;

pub use choice::Choice;
pub use error::{DeviceError, ScenarioError, StepError};
#[cfg(feature = "explore")]
pub use explore::{Broken, Exploration, Limits, explore};
pub use plan::Plan;
pub use race::{Breaks, Race, Results};
pub use spec::{Device, Driver, Expect, Firmware, Grain, Iommu, Map, Scenario};
pub use step::Step;
pub use two_cpus::{About, BINDER, CpuTurns, Machine, Stepped, TurnOutcome, WALKER};
pub use world::{Partition, World};
