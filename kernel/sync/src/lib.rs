//! What two CPUs agree by: whose turn it is, what there is to do, and that something has happened.
//!
//! These are the protocols alone, made of atomics: nothing here owns data, and nothing here is unsafe. Who
//! owns data (a lock around a value, a closure that is handed to another CPU) builds on the promise that a
//! protocol states, and argues from there.
//!
//! Each promise is of two parts: *who* may go on, and *what is visible* to it then. Both are checked by
//! [loom](https://docs.rs/loom) in every interleaving and with every stale value that the memory model allows:
//! in this crate's tests the atomics are loom's, and everything else is what the kernel links.
//!
//! How a CPU waits is the caller's: each wait calls a function between two looks, which may relax the CPU, and
//! which gives up by not coming back.

#![no_std]
#![forbid(unsafe_code)]

mod atomic;
mod latch;
mod mailbox;
mod ticket_lock;

pub use latch::Latch;
pub use mailbox::{Delivery, Full, Mailbox};
pub use ticket_lock::{TicketLock, Turn};
