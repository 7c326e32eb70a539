//! How much the driver sets memory aside for.

/// The largest `probe_size` that the driver sets memory aside for, in bytes; QEMU 7.2 has 512.
pub const MAX_PROBE_SIZE: u32 = 64 * 1024;

/// Entries of each of the two queues, as in QEMU 7.2 to 11.1.
///
/// One size for both, so that an emulator translates the code of a queue once.
pub const QUEUE_SIZE: usize = 256;

/// How many requests are sent with one notification: each takes two entries of the queue.
pub const MAX_BATCH: usize = QUEUE_SIZE / 2;

/// Event buffers that the device has from the start: how many fault records it can leave between two
/// polls in a machine without DMA. [`expect_faults`](crate::Viommu::expect_faults) adds to them.
pub const EVENT_BUFFERS: usize = 64;
