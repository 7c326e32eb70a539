//! Sets up one queue.

use alloc::boxed::Box;

use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

use super::buffers::Buffers;
use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;

/// Sets a queue up, with `bytes` of memory for its chains.
pub(super) fn open_queue<H: Hal, T: Transport>(
    transport: &mut T,
    index: u16,
    bytes: usize,
) -> Result<(Box<VirtQueue<H, QUEUE_SIZE>>, Buffers<H>), StartError> {
    let buffers = Buffers::new(bytes)?;
    // Neither indirect descriptors nor event indices: they were not negotiated.
    match VirtQueue::new(transport, index, false, false) {
        Ok(mut queue) => {
            queue.set_dev_notify(false);
            Ok((Box::new(queue), buffers))
        }
        Err(error) => {
            // SAFETY: The device has never been told of this memory.
            unsafe { buffers.free() };
            Err(queue_error(index, transport.max_queue_size(index), error))
        }
    }
}

/// The error of a queue that cannot be set up.
pub(super) fn queue_error(queue: u16, available: u32, error: Error) -> StartError {
    StartError::Queue { queue, available, needed: QUEUE_SIZE as u32, error }
}
