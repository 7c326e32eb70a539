//! The device and what it is up to. There is one for each thread, because a `Hal` has no value.

use core::cell::RefCell;
use std::thread_local;
use std::vec::Vec;

use super::bytes::Bytes;
use super::setup;
use crate::model::{Device, Ring, STEP_US, fail_allocations};

/// Accesses of one call that no driver needs: the longest wait is about 200 steps for each request.
const MAX_ACCESSES: u64 = 1_000_000;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Where the driver is when the device acts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It touches a register, reads the clock or waits.
    Access,
    /// It puts a buffer into a queue, or takes one out. It has a reference to that one, so the device
    /// leaves it alone: two writers at once are not what is tested here.
    Share,
}

/// The device, and what it does besides.
pub(super) struct World {
    pub(super) device: Device,
    pub(super) bytes: Bytes,
    /// The configuration that the driver reads; `device` has the one that it has read before.
    pub(super) config: Vec<u8>,
    pub(super) generation: u32,
    /// Every state of the configuration so far.
    pub(super) configs: Vec<Vec<u8>>,
    /// Accesses until it acts again.
    pub(super) idle: u32,
    /// The next reads of the status return this value; the number of them.
    pub(super) false_status: Option<(u8, u32)>,
    /// The next reads of the configuration return anything; the number of them.
    pub(super) false_config: u8,
    pub(super) false_generation: bool,
    pub(super) queue_in_use: bool,
    /// The registers are switched off: the value of each byte.
    pub(super) gone: Option<u8>,
    /// Reports this record whenever it has a buffer.
    pub(super) storm: Option<[u8; 24]>,
    /// An attached endpoint was probed: it may name regions that are mapped already.
    pub(super) reserved_late: bool,
    /// It looks for requests itself.
    pub(super) polls: bool,
    /// The configuration may differ from what the driver has read.
    pub(super) lied_about_config: bool,
    /// Its state may differ from what its answers said.
    pub(super) lied: bool,
    /// The requests that it reads may not be those of the driver: it executes none any more.
    pub(super) corrupt: bool,
    /// The last reset was confirmed.
    pub(super) confirmed_reset: bool,
    /// In microseconds.
    pub(super) now: u64,
    pub(super) waits: u64,
    pub(super) accesses: u64,
    pub(super) request_notifications: u64,
}

impl World {
    /// Makes the device of this thread.
    pub(super) fn install(mut bytes: Bytes) {
        let device = setup::device(&mut bytes);
        let world = Self {
            config: device.config.clone(),
            configs: std::vec![device.config.clone()],
            device,
            idle: 0,
            bytes,
            generation: 0,
            false_status: None,
            false_config: 0,
            false_generation: false,
            queue_in_use: false,
            gone: None,
            storm: None,
            reserved_late: false,
            polls: false,
            lied_about_config: false,
            lied: false,
            corrupt: false,
            confirmed_reset: false,
            now: 0,
            waits: 0,
            accesses: 0,
            request_notifications: 0,
        };
        WORLD.set(Some(world));
        with(|world| {
            // A start is about 150 accesses; half of all devices leave it alone.
            let byte = u32::from(world.bytes.byte());
            world.idle = if byte < 128 { 150 + byte } else { byte - 128 };
        });
    }

    /// Removes the device, and frees memory that was leaked because of it.
    pub(super) fn remove() {
        fail_allocations(false);
        WORLD.take();
        crate::model::reclaim();
    }

    /// The driver does something by which time passes for the device.
    pub(super) fn moment(&mut self, moment: Moment) {
        self.accesses += 1;
        assert!(self.accesses < MAX_ACCESSES, "a call does not return");
        if let Some(record) = self.storm {
            // As many as the queue has entries, even if the device has overwritten it.
            let most = self.device.queues[1].as_ref().map_or(0, Ring::size);
            (0..most).all(|_| self.device.report(&record));
        }
        if self.polls && self.gone.is_none() {
            self.serve_requests();
        }
        match self.idle.checked_sub(1) {
            Some(idle) => self.idle = idle,
            None => {
                self.misbehave(moment);
                self.rest();
            }
        }
    }

    /// Draws how long it does nothing.
    fn rest(&mut self) {
        self.idle = match self.bytes.byte() {
            0 => u32::MAX,
            byte @ 1..192 => u32::from(byte % 48),
            byte => u32::from(byte - 191) * 8,
        };
    }

    /// The driver waits.
    pub(super) fn wait(&mut self) {
        self.now += STEP_US;
        self.waits += 1;
        self.device.tick();
        self.moment(Moment::Access);
    }

    /// Begins a start of the driver.
    pub(super) fn begin_start(&mut self) {
        self.begin_call();
        self.reserved_late = false;
        self.configs = std::vec![self.config.clone()];
        // They may be too long for the answers of another start.
        self.device.properties.clear();
    }

    /// Begins a call of the driver.
    pub(super) fn begin_call(&mut self) {
        (self.waits, self.accesses) = (0, 0);
        self.device.log.clear();
    }
}

/// Lets `action` use the device.
pub(super) fn with<A>(action: impl FnOnce(&mut World) -> A) -> A {
    WORLD.with_borrow_mut(|world| action(world.as_mut().expect("there is a device")))
}
