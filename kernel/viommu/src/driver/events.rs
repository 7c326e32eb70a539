//! Listening to the device: faults from the event queue.

use alloc::format;
use alloc::vec::Vec;

use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::event::{Event, EventError};
use crate::fault::{self, Fault};
use crate::wire::FAULT_SIZE;

use super::Viommu;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// The faults that the device reported since the last call; faults of the same kind in the same
    /// granule are merged.
    ///
    /// Takes as many events as the device has buffers for; the next call returns the rest, so a
    /// device that never stops cannot keep the driver busy. Faults for which the device had no buffer
    /// are lost, and their number is not known.
    pub fn poll_faults(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.events_lost
            && let Err(error) = self.drain_events(&mut faults)
        {
            self.events_lost = true;
            self.remarks.push(format!("{error}; faults are no longer reported"));
        }
        faults
    }

    fn drain_events(&mut self, faults: &mut Vec<Fault>) -> Result<(), EventError> {
        let mut taken = false;
        while let Some(event) = self.link.next_event()? {
            self.take_event(event, faults);
            taken = true;
        }
        if taken { self.link.return_event_buffers() } else { Ok(()) }
    }

    fn take_event(&mut self, event: Event, faults: &mut Vec<Fault>) {
        let is_record = event.used as usize == FAULT_SIZE;
        let fault = is_record.then(|| fault::decode(&event.bytes)).flatten();
        match fault {
            Some(fault) => {
                self.counters.faults += 1;
                fault::gather(faults, fault, self.config.granule());
            }
            None => self.counters.events_ignored += 1,
        }
    }
}
