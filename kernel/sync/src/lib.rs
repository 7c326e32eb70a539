//! Synchronisation between two CPUs: a lock, a mailbox and a latch.
//!
//! These are the protocols alone, made of atomics: nothing here owns data, and nothing here is
//! unsafe. Code that owns data (a lock around a value, a closure that is handed to another CPU)
//! bases its safety argument on the guarantee that a protocol documents.
//!
//! Each guarantee has two parts: *which CPU* may continue, and *which writes are visible* to it
//! then. Both are checked by [loom](https://docs.rs/loom) in every interleaving and with every
//! stale value that the memory model allows: in this crate's tests the atomics are loom's, and
//! everything else is what the kernel links.
//!
//! The caller decides how a CPU waits: each wait calls a function between two polls. The function
//! may relax the CPU; to give up, it must not return.

#![no_std]
#![forbid(unsafe_code)]

mod atomic;
mod latch;
mod mailbox;
mod ticket_lock;

pub use latch::Latch;
pub use mailbox::{Delivery, Full, Mailbox};
pub use ticket_lock::{TicketGuard, TicketLock};
