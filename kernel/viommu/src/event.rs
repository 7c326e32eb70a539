//! What the event queue gives: records, or why it cannot be followed.

use crate::wire::FAULT_SIZE;

/// One buffer that the device has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of bytes that the device claims to have written; not checked.
    pub used: u32,
    /// The buffer; bytes that the device did not write are 0xff.
    pub bytes: [u8; FAULT_SIZE],
}

/// Why the event queue cannot be followed any more; requests are not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The used ring names a chain that is not in flight.
    #[error("the used ring of the event queue contains chain {0}, which is not in flight")]
    WrongChain(u32),
}
