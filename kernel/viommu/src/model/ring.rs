//! A split virtqueue, seen from the device (virtio 1.2, section 2.7).

use std::vec;
use std::vec::Vec;

use super::memory::{self, is_accessible, read, read_array, write};

/// A descriptor leads to another one.
const NEXT: u16 = 1;
/// The device may write the buffer; otherwise it may read it.
const WRITE: u16 = 2;
/// Bytes of a descriptor.
const DESCRIPTOR_SIZE: u64 = 16;

/// A queue that the driver has set up. The memory is the device's until this is dropped.
pub struct Ring {
    size: u16,
    descriptors: u64,
    driver_area: u64,
    device_area: u64,
    taken: u16,
    used: u16,
    /// The chains that were taken and not returned.
    outstanding: Vec<u16>,
    /// Whether the device has overwritten it, or announced chains that it had not taken. After that, a
    /// malformed chain is not a fault of the driver.
    forged: bool,
}

/// A chain of descriptors: all bytes that the device may read, and the buffers that it may write.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The index of the first descriptor.
    pub head: u16,
    /// The bytes of all readable buffers.
    pub readable: Vec<u8>,
    /// Address and length of each writable buffer.
    pub writable: Vec<(u64, u32)>,
}

struct Descriptor {
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

impl Ring {
    /// A queue of `size` entries whose three parts are at these addresses.
    pub fn new(size: u16, descriptors: u64, driver_area: u64, device_area: u64) -> Self {
        memory::use_ring(descriptors, size, [driver_area, device_area]);
        Self {
            size,
            descriptors,
            driver_area,
            device_area,
            taken: 0,
            used: 0,
            outstanding: Vec::new(),
            forged: false,
        }
    }

    /// The number of entries.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Whether the device has overwritten it, or announced chains that it had not taken.
    pub fn is_forged(&self) -> bool {
        self.forged
    }

    /// Whether the driver waits for nothing: each chain was taken, and returned.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty() && u16_at(self.driver_area + 2) == self.taken
    }

    /// The next chain that the driver has made available.
    ///
    /// If the device has overwritten the queue, `None` may also stand for a malformed chain.
    ///
    /// # Panics
    ///
    /// If the chain is malformed or lies in memory that the driver did not share.
    pub fn take(&mut self) -> Option<Chain> {
        if u16_at(self.driver_area + 2) == self.taken {
            return None;
        }
        let head = u16_at(self.driver_area + 4 + 2 * u64::from(self.taken % self.size));
        self.taken = self.taken.wrapping_add(1);
        let chain = self.chain(head);
        assert!(
            self.forged || chain.is_ok(),
            "the driver's chain {head}: {}",
            chain.err().unwrap_or_default()
        );
        self.outstanding.extend(chain.as_ref().map(|chain| chain.head));
        chain.ok()
    }

    fn chain(&self, head: u16) -> Result<Chain, &'static str> {
        let mut chain = Chain { head, readable: Vec::new(), writable: Vec::new() };
        for descriptor in self.walk(head) {
            let Descriptor { address, len, flags, .. } = descriptor?;
            if !is_accessible(address, len as usize) {
                return Err("a buffer is not in the device's memory");
            } else if flags & WRITE != 0 {
                chain.writable.push((address, len));
            } else if chain.writable.is_empty() {
                chain.readable.extend(read(address, len as usize));
            } else {
                return Err("a readable buffer follows a writable one");
            }
        }
        Ok(chain)
    }

    /// The descriptors of a chain: at most as many as the queue has.
    fn walk(&self, head: u16) -> impl Iterator<Item = Result<Descriptor, &'static str>> {
        let mut next = Some(head);
        let mut left = self.size;
        core::iter::from_fn(move || {
            let index = next.take()?;
            if left == 0 || index >= self.size {
                return Some(Err("it does not end inside the table"));
            }
            left -= 1;
            let bytes: [u8; 16] = read_array(self.descriptors + DESCRIPTOR_SIZE * u64::from(index));
            let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, f0, f1, n0, n1] = bytes;
            let descriptor = Descriptor {
                address: u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
                len: u32::from_le_bytes([l0, l1, l2, l3]),
                flags: u16::from_le_bytes([f0, f1]),
                next: u16::from_le_bytes([n0, n1]),
            };
            next = (descriptor.flags & NEXT != 0).then_some(descriptor.next);
            Some(Ok(descriptor))
        })
    }

    /// Returns a chain, even one that is not in flight.
    pub fn give_back(&mut self, chain: u32, len: u32) {
        match self.outstanding.iter().position(|head| u32::from(*head) == chain) {
            Some(at) => {
                self.outstanding.swap_remove(at);
            }
            None => {
                // The driver may find this entry when the chain is in flight again.
                memory::forge();
                self.forged = true;
            }
        }
        if let Ok(head) = u16::try_from(chain) {
            self.walk(head)
                .map_while(Result::ok)
                .for_each(|descriptor| memory::give_back(descriptor.address));
        }
        let element = self.device_area + 4 + 8 * u64::from(self.used % self.size);
        write(element, &chain.to_le_bytes());
        write(element + 4, &len.to_le_bytes());
        self.advance(1);
    }

    fn advance(&mut self, by: u16) {
        self.used = self.used.wrapping_add(by);
        write(self.device_area + 2, &self.used.to_le_bytes());
    }

    /// Advances the used index without an element: the driver finds whatever is in the ring.
    pub fn move_used(&mut self, by: u16) {
        memory::forge();
        self.forged = true;
        self.advance(by);
    }

    /// Asks the driver not to notify the device of new chains, or to do so again.
    pub fn suppress_notifications(&self, suppress: bool) {
        write(self.device_area, &u16::from(suppress).to_le_bytes());
    }

    /// Overwrites the descriptors, the driver's ring and the used elements, but not the used index.
    pub fn scribble(&mut self, byte: u8) {
        let size = usize::from(self.size);
        self.overwrite(RingArea::Descriptors, 0, &vec![byte; 16 * size]);
        self.overwrite(RingArea::Driver, 4, &vec![byte; 2 * size]);
        self.overwrite(RingArea::Device, 4, &vec![byte; 8 * size]);
    }

    /// Overwrites a part of the queue; what does not fit is left out.
    pub(crate) fn overwrite(&mut self, area: RingArea, offset: usize, bytes: &[u8]) {
        memory::forge();
        self.forged = true;
        let size = usize::from(self.size);
        let (start, len) = match area {
            RingArea::Descriptors => (self.descriptors, 16 * size),
            RingArea::Driver => (self.driver_area, 6 + 2 * size),
            RingArea::Device => (self.device_area, 6 + 8 * size),
        };
        let offset = offset.min(len);
        write(start + offset as u64, &bytes[..bytes.len().min(len - offset)]);
    }
}

/// One of the three areas of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingArea {
    /// The table of descriptors.
    Descriptors,
    /// The available ring.
    Driver,
    /// The used ring.
    Device,
}

impl Drop for Ring {
    fn drop(&mut self) {
        memory::leave_ring(self.descriptors);
    }
}

fn u16_at(address: u64) -> u16 {
    u16::from_le_bytes(read_array(address))
}
