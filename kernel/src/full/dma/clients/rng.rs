//! `virtio-rng`: random bytes, twice.

use alloc::vec::Vec;

use dma::Direction;
use report::Transfer;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport as _;

use super::{ClientError, driver, transfer_of, wait_for, with_driver};
use crate::dma::hal::{SpaceHal, take_log};
use crate::dma::memory::DeviceMemory;
use crate::dma::transport::PlatformTransport;

/// The only queue.
const QUEUE: u16 = 0;
const QUEUE_SIZE: usize = 8;

/// Bytes of a request.
const BYTES: usize = 64;

/// Reads random bytes twice.
///
/// It uses a queue and not the crate's `VirtIORng`, which waits without a deadline.
///
/// # Errors
///
/// See [`ClientError`].
pub(in crate::dma) fn transfers(
    registers: kernel::Transport,
    memory: DeviceMemory,
    accepts_platform: bool,
) -> Result<Vec<Transfer>, ClientError> {
    with_driver(registers, memory, accepts_platform, RandomSource::start, |mut source| {
        let mut done = Vec::new();
        let first = source.read(&mut done)?;
        let second = source.read(&mut done)?;
        // That 64 random bytes are alike, or all 0, is as good as impossible.
        if first == [0; BYTES] || first == second {
            return Err(ClientError::NotRandom);
        }
        Ok(done)
    })
}

/// A device that was started.
struct RandomSource {
    /// Dropped before the queue, whose memory may be freed only when the device has been reset.
    transport: PlatformTransport,
    queue: VirtQueue<SpaceHal, QUEUE_SIZE>,
}

impl RandomSource {
    fn start(mut transport: PlatformTransport) -> Result<Self, virtio_drivers::Error> {
        transport.begin_init(Features::VERSION_1);
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false)?;
        transport.finish_init();
        Ok(Self { transport, queue })
    }

    fn read(&mut self, done: &mut Vec<Transfer>) -> Result<[u8; BYTES], ClientError> {
        let what = "read random bytes";
        take_log();
        let mut bytes = [0; BYTES];
        // SAFETY: The device gets a copy of the buffer (`SpaceHal`), so it does not access it, also if it is late.
        let token = unsafe { self.queue.add(&[], &mut [&mut bytes]) }.map_err(driver(what))?;
        self.transport.notify(QUEUE);
        wait_for(what, || self.queue.can_pop())?;
        // SAFETY: This is the buffer that `add` was given.
        unsafe { self.queue.pop_used(token, &[], &mut [&mut bytes]) }.map_err(driver(what))?;
        done.extend(transfer_of(what, Direction::FromDevice, BYTES));
        Ok(bytes)
    }
}

bitflags::bitflags! {
    /// Features of the driver, as `begin_init` wants them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        /// `VIRTIO_F_VERSION_1`.
        const VERSION_1 = 1 << 32;
    }
}
