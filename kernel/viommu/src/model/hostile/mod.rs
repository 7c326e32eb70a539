//! A device that does anything, under a driver that does anything: both drawn from bytes.
//!
//! [`exercise`] is the fuzz target, and the body of a test that gives it random bytes. The input is
//! read from both ends: from the front what the driver is asked for, from the back what the device
//! does. A device with no bytes left follows the specification, and a driver with none left is dropped.
//!
//! The device acts whenever the driver touches a register, reads the clock, waits, or puts a buffer
//! into a queue or takes one out, so also in the middle of the driver's work. It answers late, never,
//! twice, out of order, for the wrong chain, with any length, status and content; it overwrites queues
//! and buffers, reports faults without end, changes its configuration between the reads of one field,
//! its features and its status, and does not confirm resets.
//!
//! What must hold, whatever the device does:
//! - Every call returns, within the deadlines for the requests that it sent, and nothing panics.
//! - Memory that the device may still write to is not freed, reused or taken back ([`FakeHal`]).
//! - A device that was given up gets no further request, and the reason does not change.
//! - A refusal contains its endpoint and its reason.
//! - The driver's copy of the configuration is a state that the device had, unless the device lied about it.
//! - The driver's record of domains, endpoints and mappings is the device's state, unless the device
//!   lied: an answer that denies what was done, or a queue or buffer that is not what it was.
//!
//! [`FakeHal`]: super::FakeHal

mod bytes;
mod check;
mod mischief;
mod raw;
mod registers;
mod script;
mod serve;
mod setup;
mod world;

use std::vec::Vec;

use bytes::Bytes;
use world::World;

pub use check::Summary;

/// The most bytes of a random input.
const MAX_INPUT: usize = 200;

/// A random input, in which more or fewer bytes let the device do what it should.
///
/// `below` gives a random number below its argument.
pub fn random_input(mut below: impl FnMut(usize) -> usize) -> Vec<u8> {
    let (len, calm) = (below(MAX_INPUT), below(256));
    let mut byte = || if below(256) < calm { below(128) as u8 } else { below(256) as u8 };
    (0..len).map(|_| byte()).collect()
}

/// Runs a driver against a device; `input` decides what each of them does.
///
/// # Panics
///
/// If the driver breaks a promise.
pub fn exercise(input: &[u8]) -> Summary {
    let mut script = Bytes::from_front(input);
    let is_raw = script.byte() >= 224;
    World::install(Bytes::from_back(input));
    let summary = if is_raw { raw::run(&mut script) } else { script::run(&mut script) };
    World::remove();
    summary
}
