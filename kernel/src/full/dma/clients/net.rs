//! `virtio-net`: a frame out, and the same frame in if the network sends it back.

use alloc::vec;
use alloc::vec::Vec;

use dma::Direction;
use report::Transfer;
use virtio_drivers::device::net::VirtIONetRaw;

use super::{ClientError, compare, driver, transfer_of, wait_for, with_driver};
use crate::deadline::wait_until;
use crate::dma::hal::{SpaceHal, take_log};
use crate::dma::memory::DeviceMemory;
use crate::dma::transport::PlatformTransport;

/// Number of descriptors of each queue.
const QUEUE_SIZE: usize = 8;

/// The smallest receive buffer that the driver takes is 1526 bytes.
const RECEIVE_BYTES: usize = 2048;

/// Time for a frame to come back, in microseconds. Without a network that returns frames, it is lost.
const ECHO_US: u64 = 1_000_000;

/// An EtherType for local experiments (IEEE 802, section 9.2.4).
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];

/// Length of a frame that needs no padding.
const FRAME_BYTES: usize = 64;

/// Sends a frame, and receives it if it comes back.
///
/// # Errors
///
/// See [`ClientError`]; a frame that does not come back is not an error.
pub(in crate::dma) fn transfers(
    registers: kernel::Transport,
    memory: DeviceMemory,
    accepts_platform: bool,
) -> Result<Vec<Transfer>, ClientError> {
    let start = VirtIONetRaw::<SpaceHal, PlatformTransport, QUEUE_SIZE>::new;
    with_driver(registers, memory, accepts_platform, start, |mut card| {
        let mut done = Vec::new();

        take_log();
        let mut received = vec![0; RECEIVE_BYTES];
        // SAFETY: The device gets a copy of the buffer (`SpaceHal`), so it does not access it, also if it is late.
        let receiving = unsafe { card.receive_begin(&mut received) }.map_err(driver("receive"))?;
        let incoming = transfer_of("receive a frame", Direction::FromDevice, RECEIVE_BYTES);

        let mut sent = vec![0; 16 + FRAME_BYTES];
        let header = card.fill_buffer_header(&mut sent).map_err(driver("send"))?;
        sent.truncate(header + FRAME_BYTES);
        sent[header..].copy_from_slice(&frame(card.mac_address()));
        // SAFETY: As above.
        let sending = unsafe { card.transmit_begin(&sent) }.map_err(driver("send"))?;
        wait_for("send", || card.poll_transmit().is_some())?;
        // SAFETY: This is the buffer that `transmit_begin` was given.
        unsafe { card.transmit_complete(sending, &sent) }.map_err(driver("send"))?;
        done.extend(transfer_of("send a frame", Direction::ToDevice, sent.len()));

        if wait_until(ECHO_US, || card.poll_receive().is_some()) {
            // SAFETY: This is the buffer that `receive_begin` was given.
            let lengths = unsafe { card.receive_complete(receiving, &mut received) };
            let (header_bytes, frame_bytes) = lengths.map_err(driver("receive"))?;
            let found = received.get(header_bytes..header_bytes + frame_bytes).unwrap_or_default();
            compare("the received frame", found, &sent[header..])?;
            done.extend(incoming);
        }
        Ok(done)
    })
}

/// A frame from this card to all cards.
fn frame(own_address: [u8; 6]) -> [u8; FRAME_BYTES] {
    let mut frame = core::array::from_fn(|offset| (offset * 5 + 0x11) as u8);
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&own_address);
    frame[12..14].copy_from_slice(&ETHER_TYPE);
    frame
}
