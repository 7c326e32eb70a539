//! What the two images have in common: everything from the handover to the report that one CPU does.
//!
//! The image `iogroups` (`main.rs`) is that and nothing else. The image `iogroups-smp` (`two_cpus/`) adds what takes
//! a second CPU. What touches the machine is in `machine`; what thinks about it is in the crates below this one, which
//! run on a host as well.
//!
//! Folders refer to those before them only: `machine`, `hardware`, `input`, `drivers`, `output`, `probing`; [`Run`]
//! puts them together.

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

pub use error::Error;
pub use hardware::{Handle, Hardware};
pub use input::described::Described;
pub use input::handover::HandedOver;
pub use input::options::Options;
#[doc(hidden)]
pub use machine::console::write_log;
pub use machine::failure::exception as report_exception;
pub use machine::power::park;
pub use output::{event_log, summary};
pub use probing::{Probing, Step};
pub use random::Random;
pub use run::Run;
