//! What the event queue gives: records, or why it cannot be followed.

use core::fmt;

use virtio_drivers::Error;

use crate::wire::FAULT_SIZE;

/// The result of polling one entry of the event queue.
pub(crate) enum Event {
    /// A record, copied out.
    Record([u8; FAULT_SIZE]),
    /// A buffer whose used length is not that of a record.
    WrongLength,
}

/// The event queue cannot be followed any more; requests are not affected.
pub(crate) enum EventError {
    /// The used ring names a chain that is not in flight.
    WrongChain(u16),
    /// The queue did not take a buffer back.
    NotReposted(Error),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongChain(found) => {
                write!(f, "the used ring of the event queue contains chain {found}, which is not in flight")
            }
            Self::NotReposted(error) => write!(f, "the event queue rejected a buffer: {error}"),
        }
    }
}
