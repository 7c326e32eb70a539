//! `virtio-rng`: random bytes, twice.

use alloc::vec::Vec;

use dma::Direction;
use report::Transfer;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport as _;

use super::{ClientError, check, driver, transfer_of};
use crate::dma::deadline::{DEVICE_DEADLINE_US, wait_until};
use crate::dma::hal::{SpaceHal, take_log, with_device};
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
    with_device(memory, || {
        let (mut transport, negotiation) = PlatformTransport::new(registers, accepts_platform);
        transport.begin_init(Features::VERSION_1);
        check(&negotiation)?;
        // The queue is dropped, and its memory freed, after the transport, which resets the device.
        let queue = VirtQueue::<SpaceHal, QUEUE_SIZE>::new(&mut transport, QUEUE, false, false);
        let mut queue = queue.map_err(driver("start"))?;
        let mut transport = transport;
        transport.finish_init();
        let mut done = Vec::new();
        let first = read(&mut queue, &mut transport, &mut done)?;
        let second = read(&mut queue, &mut transport, &mut done)?;
        // That 64 random bytes are alike, or all 0, is as good as impossible.
        if first == [0; BYTES] || first == second {
            return Err(ClientError::NotRandom);
        }
        drop(transport);
        Ok(done)
    })
}

fn read(
    queue: &mut VirtQueue<SpaceHal, QUEUE_SIZE>,
    transport: &mut PlatformTransport,
    done: &mut Vec<Transfer>,
) -> Result<[u8; BYTES], ClientError> {
    let what = "read random bytes";
    take_log();
    let mut bytes = [0; BYTES];
    // SAFETY: The device gets a copy of the buffer (`SpaceHal`), so it does not access it, also if it is late.
    let token = unsafe { queue.add(&[], &mut [&mut bytes]) }.map_err(driver(what))?;
    transport.notify(QUEUE);
    if !wait_until(DEVICE_DEADLINE_US, || queue.can_pop()) {
        return Err(ClientError::Late { what, limit_us: DEVICE_DEADLINE_US });
    }
    // SAFETY: This is the buffer that `add` was given.
    unsafe { queue.pop_used(token, &[], &mut [&mut bytes]) }.map_err(driver(what))?;
    done.extend(transfer_of(what, Direction::FromDevice, BYTES));
    Ok(bytes)
}

bitflags::bitflags! {
    /// Features of the driver, as `begin_init` wants them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        /// `VIRTIO_F_VERSION_1`.
        const VERSION_1 = 1 << 32;
    }
}
