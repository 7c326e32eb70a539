//! How the device answers: registers that are read, requests that arrive.

use std::vec;

use virtio_drivers::Error;
use virtio_drivers::transport::DeviceStatus;

use super::world::World;
use crate::model::{Chain, Ring, Serve, write};

/// A bit of the status register.
const DRIVER_OK: u32 = 4;

impl World {
    /// The status register, without the bits that are reserved: as in both transports of the crate,
    /// which drop them.
    pub(super) fn status(&mut self) -> DeviceStatus {
        let status = match (self.gone, &mut self.false_status) {
            (Some(byte), _) => byte.into(),
            (None, Some((reads, value))) => {
                let value = *value;
                *reads -= 1;
                if *reads == 0 {
                    self.false_status = None;
                }
                value
            }
            (None, None) => self.device.status,
        };
        let status = DeviceStatus::from_bits_truncate(status);
        if status.is_empty() && self.device.status_writes.last() == Some(&0) {
            // To the driver this is a confirmed reset, so the device keeps no memory.
            self.device.reset();
            self.confirmed_reset = true;
        }
        status
    }

    /// Bytes of the configuration space.
    pub(super) fn config_bytes(&mut self, offset: usize, value: &mut [u8]) -> Result<(), Error> {
        if let Some(byte) = self.gone {
            self.lied_about_config = true;
            value.fill(byte);
        } else if self.false_config > 0 {
            self.false_config -= 1;
            self.lied_about_config = true;
            value.fill_with(|| self.bytes.byte());
        } else {
            let bytes = self.config.get(offset..offset + value.len()).ok_or(Error::ConfigSpaceTooSmall)?;
            value.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// The driver notifies a queue.
    pub(super) fn notified(&mut self, queue: u16) {
        let status = self.device.status_writes.last().copied().unwrap_or(0);
        assert!(status & DRIVER_OK != 0, "a queue is notified only while the device runs");
        if queue == 0 {
            self.request_notifications += 1;
            self.serve_requests();
        }
    }

    /// Serves, or puts off, the requests that the driver has made available.
    pub(super) fn serve_requests(&mut self) {
        // A driver's ring that the device has overwritten may seem to hold more than it can.
        let most = self.device.queues[0].as_ref().map_or(0, Ring::size);
        for _ in 0..most {
            let Some(chain) = self.device.queues[0].as_mut().and_then(Ring::take) else { break };
            if self.corrupt {
                self.answer_anything(chain);
            } else {
                self.serve_request(chain);
            }
        }
    }

    fn serve_request(&mut self, chain: Chain) {
        let room: u32 = chain.writable.iter().map(|(_, len)| len).sum();
        let decision = self.bytes.byte();
        let serve = match decision {
            0..128 => Serve::Well,
            128..144 => Serve::Late(self.bytes.byte().into()),
            144..160 => Serve::Done(self.any_length()),
            160..176 => {
                let used = self.any_length();
                // A complete answer with status OK.
                self.lied |= used == room;
                Serve::NotDone(used)
            }
            176..192 => {
                let status = self.bytes.byte() % 11;
                // OK although nothing was done; a denial of what is there.
                self.lied |= matches!(status, 0 | 4 | 6);
                Serve::Status(status)
            }
            192..200 => Serve::Unwritten,
            200..204 => Serve::Never,
            204..208 => Serve::NeedsReset,
            208..224 => {
                let room = room as usize - 4;
                let mut list = self.bytes.list(80);
                list.truncate(room);
                if let Some(endpoint) = probed(&chain) {
                    self.device.properties.insert(endpoint, list);
                }
                Serve::Well
            }
            224..232 => {
                self.lied = true;
                Serve::WrongChain(self.bytes.u16().into())
            }
            232..240 => {
                self.lied = true;
                Serve::Twice
            }
            240..248 => {
                // Requests that it has not looked at yet are gone.
                self.lied = true;
                self.corrupt = true;
                Serve::Scribble(self.bytes.byte())
            }
            _ => {
                self.lied = true;
                return self.answer_anything(chain);
            }
        };
        match serve {
            Serve::Late(polls) => self.device.pending.push((polls, chain)),
            Serve::Never => {}
            Serve::NeedsReset => self.device.status |= 64,
            serve => self.device.complete(chain, serve),
        }
    }

    /// Returns a chain with any content and any length; nothing is executed.
    fn answer_anything(&mut self, chain: Chain) {
        let room: usize = chain.writable.iter().map(|(_, len)| *len as usize).sum();
        let mut answer = vec![0; room.min(1 << 17)];
        for byte in answer.iter_mut().rev().take(usize::from(self.bytes.byte() % 8)) {
            *byte = self.bytes.byte();
        }
        let mut rest = &answer[..];
        for (address, len) in chain.writable {
            let (here, after) = rest.split_at(rest.len().min(len as usize));
            write(address, here);
            rest = after;
        }
        let used = if self.bytes.flag() { self.any_length() } else { room as u32 };
        if let Some(queue) = &mut self.device.queues[0] {
            queue.give_back(chain.head.into(), used);
        }
    }

    fn any_length(&mut self) -> u32 {
        match self.bytes.byte() {
            byte @ 0..32 => u32::from(byte % 8),
            byte @ 32..224 => u32::from(byte) * 4,
            _ => self.bytes.u64() as u32,
        }
    }
}

/// The endpoint of a PROBE.
fn probed(chain: &Chain) -> Option<u32> {
    let [5, _, _, _, endpoint @ ..] = &chain.readable[..] else { return None };
    Some(u32::from_le_bytes(*endpoint.first_chunk()?))
}
