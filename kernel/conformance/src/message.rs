//! Requests by their meaning: well-formed, unless a case changes their bytes (virtio 1.2, section 5.13.6).

use alloc::vec;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::device::Request;

/// Bytes of the tail of every answer.
pub(crate) const TAIL_SIZE: usize = 4;

/// Flag of ATTACH: the domain bypasses.
pub(crate) const ATTACH_BYPASS: u32 = 1;
/// Offset of the flags of ATTACH.
pub(crate) const ATTACH_FLAGS_AT: usize = 12;
/// Offset of the reserved field of ATTACH, and its size.
pub(crate) const ATTACH_RESERVED: (usize, usize) = (16, 4);
/// Offset of the reserved field of DETACH, and its size.
pub(crate) const DETACH_RESERVED: (usize, usize) = (12, 8);
/// Offset of the reserved field of UNMAP, and its size.
pub(crate) const UNMAP_RESERVED: (usize, usize) = (24, 4);
/// Offset of the reserved field of PROBE, and its size.
pub(crate) const PROBE_RESERVED: (usize, usize) = (8, 64);
/// Offset of the reserved field of every head, and its size.
pub(crate) const HEAD_RESERVED: (usize, usize) = (1, 3);

/// Flags of MAP.
pub(crate) const MAP_READ: u32 = 1;
pub(crate) const MAP_WRITE: u32 = 2;
pub(crate) const MAP_MMIO: u32 = 4;

/// A first and a last address, both included.
pub(crate) type Interval = (u64, u64);

/// One request: what the device reads, and how much it can write before the tail.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// What it is called in an answer's description.
    pub(crate) name: &'static str,
    pub(crate) readable: Vec<u8>,
    /// Bytes of properties before the tail.
    pub(crate) properties: usize,
}

impl Message {
    fn new(name: &'static str, kind: u8, size: usize) -> Self {
        let mut readable = vec![0; size];
        readable[0] = kind;
        Self { name, readable, properties: 0 }
    }

    pub(crate) fn attach(domain: u32, endpoint: EndpointId) -> Self {
        Self::new("ATTACH", 1, 20).with(4, &domain.to_le_bytes()).with(8, &endpoint.0.to_le_bytes())
    }

    pub(crate) fn attach_bypass(domain: u32, endpoint: EndpointId) -> Self {
        Self::attach(domain, endpoint).flags(ATTACH_FLAGS_AT, ATTACH_BYPASS)
    }

    pub(crate) fn detach(domain: u32, endpoint: EndpointId) -> Self {
        Self::new("DETACH", 2, 20).with(4, &domain.to_le_bytes()).with(8, &endpoint.0.to_le_bytes())
    }

    pub(crate) fn map(domain: u32, (first, last): Interval, phys: u64, flags: u32) -> Self {
        let message = Self::new("MAP", 3, 36).with(4, &domain.to_le_bytes());
        let message = message.with(8, &first.to_le_bytes()).with(16, &last.to_le_bytes());
        message.with(24, &phys.to_le_bytes()).flags(32, flags)
    }

    pub(crate) fn unmap(domain: u32, (first, last): Interval) -> Self {
        let message = Self::new("UNMAP", 4, 28).with(4, &domain.to_le_bytes());
        message.with(8, &first.to_le_bytes()).with(16, &last.to_le_bytes())
    }

    pub(crate) fn probe(endpoint: EndpointId, probe_size: u32) -> Self {
        let message = Self::new("PROBE", 5, 72).with(4, &endpoint.0.to_le_bytes());
        Self { properties: probe_size as usize, ..message }
    }

    /// A request of a type that the specification does not define.
    pub(crate) fn unknown(kind: u8) -> Self {
        Self::new("request", kind, 20)
    }

    /// Replaces bytes of what the device reads.
    pub(crate) fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.readable[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn flags(self, at: usize, flags: u32) -> Self {
        self.with(at, &flags.to_le_bytes())
    }

    /// Fills a reserved field.
    pub(crate) fn reserved(self, (at, size): (usize, usize)) -> Self {
        self.with(at, &vec![0xa5; size])
    }

    /// Cuts off what the device reads.
    pub(crate) fn cut(mut self, size: usize) -> Self {
        self.readable.truncate(size);
        self
    }

    /// Appends to what the device reads.
    pub(crate) fn longer(mut self, by: usize) -> Self {
        self.readable.resize(self.readable.len() + by, 0xa5);
        self
    }

    /// The endpoint of an ATTACH.
    pub(crate) fn attached_endpoint(&self) -> Option<EndpointId> {
        match self.readable[..] {
            [1, _, _, _, _, _, _, _, a, b, c, d, ..] => Some(EndpointId(u32::from_le_bytes([a, b, c, d]))),
            _ => None,
        }
    }

    /// Bytes that the device can write.
    pub(crate) fn answer_size(&self) -> usize {
        self.properties + TAIL_SIZE
    }

    /// The usual chain: one descriptor for each direction.
    pub(crate) fn request(&self) -> Request {
        Request { readable: vec![self.readable.clone()], writable: vec![self.answer_size()] }
    }

    /// A chain with these descriptors; whatever is left over at the end of a direction is one more.
    pub(crate) fn in_pieces(&self, readable: &[usize], writable: &[usize]) -> Request {
        let mut rest = self.readable.as_slice();
        let mut pieces = Vec::new();
        for size in readable {
            let (piece, after) = rest.split_at(*size);
            pieces.push(piece.to_vec());
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(rest.to_vec());
        }
        let mut sizes = writable.to_vec();
        let left = self.answer_size() - sizes.iter().sum::<usize>();
        if left > 0 {
            sizes.push(left);
        }
        Request { readable: pieces, writable: sizes }
    }
}
