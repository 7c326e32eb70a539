//! Listening to the device: faults from the event queue.

use alloc::format;

use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::event::{Event, EventError};
use crate::fault::{self, Faults};
use crate::limits::QUEUE_SIZE;
use crate::wire::FAULT_SIZE;

use super::Viommu;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// The faults that the device reported since the last call; faults of the same kind in the same
    /// granule are merged.
    ///
    /// Takes no more events than the device has buffers for, and returns the buffers afterwards, so a
    /// device that never stops cannot keep the driver busy, and a device that ran out of buffers is
    /// noticed ([`Faults::overflow`]).
    pub fn poll_faults(&mut self) -> Faults {
        let mut faults = Faults::default();
        if !self.events_lost
            && let Err(error) = self.drain_events(&mut faults)
        {
            self.events_lost = true;
            self.remarks.push(format!("{error}; faults are no longer reported"));
        }
        faults
    }

    /// Gives the device as many event buffers as its queue holds, for a machine in which faults are
    /// expected.
    ///
    /// One blocked transfer of 512 bytes is 128 records in QEMU, more than the buffers that the device
    /// has from the start.
    pub fn expect_faults(&mut self) {
        self.event_buffers = QUEUE_SIZE;
        if !self.events_lost {
            self.link.give_event_buffers(self.event_buffers);
        }
    }

    fn drain_events(&mut self, faults: &mut Faults) -> Result<(), EventError> {
        let mut taken = false;
        while let Some(event) = self.link.next_event()? {
            self.take_event(event, faults);
            taken = true;
        }
        if !taken {
            return Ok(());
        }
        // Buffers are returned only below, so this is whether the device has none at this moment.
        faults.overflow = !self.link.has_event_buffers();
        self.counters.overflows += u64::from(faults.overflow);
        self.link.give_event_buffers(self.event_buffers);
        Ok(())
    }

    fn take_event(&mut self, event: Event, faults: &mut Faults) {
        let is_record = event.used as usize == FAULT_SIZE;
        let fault = is_record.then(|| fault::decode(&event.bytes)).flatten();
        match fault {
            Some(fault) => {
                self.counters.faults += 1;
                faults.add(fault, self.config.granule());
            }
            None => self.counters.events_ignored += 1,
        }
    }
}
