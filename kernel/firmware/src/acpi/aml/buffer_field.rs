//! Fields of a buffer, bit by bit (ACPI 6.5, section 19.6.18).

use alloc::vec::Vec;

use super::convert::little_endian;
use super::heap::{Handle, Object, Value};
use super::machine::Machine;
use super::stop::{Reason, Stop};

impl Machine<'_> {
    /// Reads a field of a buffer: a number, or a buffer if it is too long for one.
    pub(super) fn read_bits(
        &mut self,
        buffer: Handle,
        bit: usize,
        bits: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        self.count_bytes(bits, place)?;
        let bytes = match self.look(buffer, place)? {
            Object::Buffer(bytes) => bytes,
            Object::Unknown(cause) => return Ok(Value::Unknown(*cause)),
            _ => return Err(Reason::Uninitialized.at(place)),
        };
        if !self.heap.has_room(bits / 8) || bits / 8 > bytes.len() {
            return Err(Reason::Memory.at(place));
        }
        let mut read = alloc::vec![0_u8; bits.div_ceil(8)];
        for (index, to) in (bit..bit.saturating_add(bits)).zip(0..) {
            let byte = bytes.get(index / 8).copied().unwrap_or(0);
            read[to / 8] |= (byte >> (index % 8) & 1) << (to % 8);
        }
        if bits <= if self.narrow { 32 } else { 64 } {
            return Ok(Value::Integer(little_endian(&read)));
        }
        self.object(Object::Buffer(read), place)
    }

    pub(super) fn write_bits(
        &mut self,
        value: Value,
        buffer: Handle,
        bit: usize,
        bits: usize,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        self.count_bytes(bits, place)?;
        let new: Vec<u8> = match self.bytes(value, place)? {
            Ok(bytes) => bytes,
            Err(cause) => {
                self.heap.replace(buffer, Object::Unknown(cause));
                return Ok(());
            }
        };
        let bytes = match self.heap.get_mut(buffer) {
            Some(Object::Buffer(bytes)) => bytes,
            Some(Object::Unknown(_)) => return Ok(()),
            _ => return Err(Reason::Uninitialized.at(place)),
        };
        for (index, from) in (bit..bit.saturating_add(bits)).zip(0..) {
            let Some(byte) = bytes.get_mut(index / 8) else { break };
            let is_set = new.get(from / 8).is_some_and(|byte| byte >> (from % 8) & 1 != 0);
            let mask = 1 << (index % 8);
            *byte = if is_set { *byte | mask } else { *byte & !mask };
        }
        Ok(())
    }
}
