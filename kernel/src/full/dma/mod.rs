//! DMA by real devices (`dma=on`): drivers transfer data through the domain of their group, and report
//! which accesses were refused.
//!
//! Read in this order: `domain` and `memory` (what a device can reach), `devices` and `drivers` (which devices there
//! are), `hal` and `transport` (memory and registers for `virtio-drivers`), `clients` (what each kind of device transfers),
//! `raw_queue` and `engine` (accesses to any address), `faults`, `run`, `isolation`.

mod clients;
mod devices;
mod domain;
pub(crate) mod drivers;
mod engine;
mod faults;
mod hal;
pub(crate) mod isolation;
mod memory;
pub(crate) mod mutation;
mod raw_queue;
pub(crate) mod run;
mod transport;
