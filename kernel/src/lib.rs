//! The common part of both images: everything that one CPU does from the handover to the report.
//!
//! The image `iogroups` (`main.rs`) contains nothing else. The image `iogroups-full` (`full/`)
//! adds everything that a minimal boot does not need. Access to the machine is in `machine`; the logic is in
//! the crates below this one, which also run on a host.
//!
//! Folders refer only to those before them: `machine`, `hardware`, `input`, `drivers`, `output`,
//! `probing`; [`Run`] puts them together.

#![no_std]

extern crate alloc;

mod drivers;
mod error;
mod hardware;
mod input;
pub mod machine;
mod output;
mod probing;
mod random;
mod run;

pub use drivers::{Bound, Claims, Instance, Iommus};
pub use error::Error;
pub use hardware::virtio::{Transport, TransportError};
pub use hardware::{Handle, Hardware};
pub use input::described::Described;
pub use input::handover::HandedOver;
pub use input::options::Options;
#[doc(hidden)]
pub use machine::console::write_log;
pub use machine::failure::exception as report_exception;
pub use machine::power::park;
pub use output::event_log::Watch;
pub use output::{event_log, summary};
pub use probing::{BootStep, ClassChange, LiveDomain, Probing, Removed};
pub use random::Random;
pub use run::Run;
