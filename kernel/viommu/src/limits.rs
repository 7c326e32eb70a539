//! How much the driver sets memory aside for.

/// The largest `probe_size` that the driver sets memory aside for, in bytes; QEMU 7.2 has 512.
pub const MAX_PROBE_SIZE: u32 = 64 * 1024;

/// Entries of the request queue: one request at a time, of one readable and one writable part.
pub const REQUEST_QUEUE_SIZE: usize = 2;

/// Entries of the event queue: how many fault records the device can leave between two polls.
pub const EVENT_QUEUE_SIZE: usize = 64;
