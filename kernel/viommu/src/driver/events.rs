//! Listening to the device: faults from the event queue.

use alloc::format;
use alloc::vec::Vec;

use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::event::Event;
use crate::fault::{self, Fault};
use crate::limits::EVENT_QUEUE_SIZE;

use super::Viommu;

/// Maximum number of event buffers that one poll takes, so that a device that never stops cannot
/// keep the driver busy.
const MAX_EVENTS_PER_POLL: usize = 4 * EVENT_QUEUE_SIZE;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// The faults that the device reported since the last call; faults of the same kind in the same
    /// granule are merged.
    ///
    /// Takes a limited number of events per poll; the next call returns the rest. Faults for which
    /// the device had no buffer are lost, and their number is not known.
    pub fn poll_faults(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut taken = 0;
        while !self.events_lost && taken < MAX_EVENTS_PER_POLL {
            match self.link.next_event() {
                Ok(Some(event)) => self.take_event(event, &mut faults),
                Ok(None) => break,
                Err(error) => {
                    self.events_lost = true;
                    self.remarks.push(format!("{error}; faults are no longer reported"));
                }
            }
            taken += 1;
        }
        if taken > 0 && !self.events_lost {
            self.link.notify_events();
        }
        faults
    }

    fn take_event(&mut self, event: Event, faults: &mut Vec<Fault>) {
        let fault = match event {
            Event::Record(record) => fault::decode(&record),
            Event::WrongLength => None,
        };
        match fault {
            Some(fault) => {
                self.counters.faults += 1;
                fault::gather(faults, fault, self.config.granule());
            }
            None => self.counters.events_ignored += 1,
        }
    }
}
