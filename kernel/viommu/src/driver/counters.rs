//! What happened at a device, in numbers.

use crate::request::Failure;

/// Counters of requests and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests sent.
    pub requests: u64,
    /// How often the device was notified of requests.
    pub notifications: u64,
    /// Requests that the device refused with a status.
    pub refused: u64,
    /// Requests whose answer was missing or of the wrong length.
    pub unreadable: u64,
    /// Fault records taken.
    pub faults: u64,
    /// Polls that found the device without an event buffer: further faults may have been dropped.
    pub overflows: u64,
    /// Event buffers that were not a record: wrong length, or a reserved field set.
    pub events_ignored: u64,
}

impl Counters {
    /// Counts the answer to a request.
    pub(super) fn count(&mut self, outcome: Result<(), Failure>) {
        match outcome {
            Err(Failure::Refused(_)) => self.refused += 1,
            Err(_) => self.unreadable += 1,
            Ok(()) => {}
        }
    }
}
