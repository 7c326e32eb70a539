//! The report of one run: its types, its text form and its verdict.
//!
//! The kernel writes it and `cargo xtask` reads it. The JSON form is a contract for scripts: fields keep
//! their names and meaning, and new ones may be added.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod dma;
mod explained;
#[cfg(test)]
mod fixture;
mod group_type;
mod hot_plug;
mod json;
mod ktap;
#[cfg(test)]
mod ktap_tests;
mod map_speed;
mod operation;
mod suite;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod verdict;
#[cfg(test)]
mod verdict_tests;
mod words;

pub use dma::{DeviceDma, Refused, Transfer};
pub use explained::{AcsOf, Explained, Reference, RequesterOf};
pub use group_type::GroupType;
pub use hot_plug::{HotPlug, HotPlugDevice, HotPlugKind};
pub use ktap::Ktap;
pub use map_speed::{MapRate, MapSpeed};
pub use operation::Operation;
pub use suite::{CaseOutcome, SuiteCase, SuiteReport};
pub use text::Verbose;
pub use types::*;
pub use words::{Console, FULL_IMAGE_WORDS, Firmware, Form};
