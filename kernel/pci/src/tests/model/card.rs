//! A function of the model: its registers, and which bits can be written.

extern crate std;

use std::cell::RefCell;
use std::vec;
use std::vec::Vec;

use super::On;
use crate::FunctionKind;

/// A function of the model.
pub(crate) struct Card {
    pub(super) on: On,
    pub(super) devfn: u8,
    pub(super) bytes: RefCell<Vec<u8>>,
    pub(super) writable: Vec<u8>,
    /// The end of the extended capabilities so far.
    pub(super) extended_end: u16,
    last_extended: u16,
    last_capability: u8,
    capability_end: u8,
    /// Registers that keep one value, except during a measurement.
    pub(super) stuck: Vec<(u16, u32)>,
}

impl Card {
    pub(super) fn empty(on: On, devfn: u8) -> Self {
        Self {
            on,
            devfn,
            bytes: RefCell::new(vec![0; 4096]),
            writable: vec![0; 4096],
            extended_end: 0x100,
            last_extended: 0,
            last_capability: 0,
            capability_end: 0x40,
            stuck: Vec::new(),
        }
    }

    pub(crate) fn set32(&mut self, offset: usize, value: u32) {
        self.bytes.borrow_mut()[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn get32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.bytes.borrow()[offset..offset + 4].try_into().unwrap())
    }

    pub(crate) fn set8(&mut self, offset: usize, value: u8) {
        self.bytes.borrow_mut()[offset] = value;
    }

    pub(crate) fn get8(&self, offset: usize) -> u8 {
        self.bytes.borrow()[offset]
    }

    pub(crate) fn mask32(&mut self, offset: usize, value: u32) {
        self.writable[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn multifunction(&mut self) -> &mut Self {
        self.bytes.borrow_mut()[0x0e] |= 0x80;
        self
    }

    pub(super) fn make_bridge(&mut self) -> &mut Self {
        self.bytes.borrow_mut()[0x0e] |= 1;
        self.mask32(0x18, 0x00ff_ffff);
        self.mask32(0x1c, 0x0000_f0f0);
        self.mask32(0x20, 0xfff0_fff0);
        self.set32(0x24, 0x0001_0001);
        self.mask32(0x24, 0xfff0_fff0);
        self.mask32(0x28, u32::MAX);
        self.mask32(0x2c, u32::MAX);
        self
    }

    pub(crate) fn without_io_window(&mut self) -> &mut Self {
        self.mask32(0x1c, 0);
        self
    }

    pub(crate) fn memory_bar(
        &mut self,
        number: usize,
        size: u64,
        wide: bool,
        prefetchable: bool,
    ) -> &mut Self {
        let offset = 0x10 + 4 * number;
        let mask = !(size - 1);
        self.set32(offset, u32::from(wide) << 2 | u32::from(prefetchable) << 3);
        self.mask32(offset, mask as u32 & !0xf);
        if wide {
            self.mask32(offset + 4, (mask >> 32) as u32);
        }
        self
    }

    /// Sets a memory BAR to its value after reset.
    pub(crate) fn clear_bar(&mut self, number: usize) {
        let offset = 0x10 + 4 * number;
        let low = self.get32(offset);
        self.set32(offset, low & 0xf);
        if low & 4 != 0 {
            self.set32(offset + 4, 0);
        }
    }

    /// The register contains `value` after any write except of zero or of ones.
    pub(crate) fn sticks_at(&mut self, offset: u16, value: u32) -> &mut Self {
        self.stuck.push((offset, value));
        self
    }

    /// Makes every bit of the register writable, except for the lowest.
    pub(crate) fn all_writable(&mut self, offset: usize) {
        self.mask32(offset, !1);
    }

    pub(crate) fn io_bar(&mut self, number: usize, size: u32) -> &mut Self {
        self.set32(0x10 + 4 * number, 1);
        self.mask32(0x10 + 4 * number, !(size - 1) & 0xfffc);
        self
    }

    pub(crate) fn rom(&mut self, size: u32) -> &mut Self {
        let offset = if self.bytes.borrow()[0x0e] & 0x7f == 1 { 0x38 } else { 0x30 };
        self.mask32(offset, !(size - 1) & 0xffff_f800 | 1);
        self
    }

    pub(crate) fn capability(&mut self, id: u8, upper: u16) -> u8 {
        let offset = self.capability_end;
        self.set32(offset.into(), u32::from(upper) << 16 | u32::from(id));
        self.bytes.borrow_mut()[0x06] |= 0x10;
        let link = if self.last_capability == 0 { 0x34 } else { usize::from(self.last_capability) + 1 };
        self.set8(link, offset);
        self.last_capability = offset;
        // A virtio capability may have one more word than others.
        self.capability_end += if id == 0x09 { 0x14 } else { 0x10 };
        offset
    }

    pub(crate) fn express(&mut self, kind: FunctionKind) -> &mut Self {
        let value = (0..16).find(|value| FunctionKind::from_port_type(*value) == kind);
        if let Some(value) = value {
            self.capability(0x10, 2 | u16::from(value) << 4);
        }
        self
    }

    /// For a port whose only capability is PCIe: it can forward by ARI.
    pub(crate) fn can_forward_ari(&mut self) -> &mut Self {
        self.set32(0x40 + 0x24, 1 << 5);
        self.mask32(0x40 + 0x28, 1 << 5);
        self
    }

    pub(crate) fn ari(&mut self, next: u8) -> &mut Self {
        let offset = usize::from(self.extended(0x0e));
        self.set32(offset + 4, u32::from(next) << 8);
        self
    }

    /// The offset of the SR-IOV capability of a physical function.
    pub(crate) fn sriov(&self) -> usize {
        let mut offset = 0x100;
        while self.get32(offset) as u16 != 0x10 {
            offset = (self.get32(offset) >> 20) as usize;
        }
        offset
    }

    pub(crate) fn extended(&mut self, id: u16) -> u16 {
        let offset = self.extended_end;
        self.set32(offset.into(), 1 << 16 | u32::from(id));
        if self.last_extended != 0 {
            let last = usize::from(self.last_extended);
            self.set32(last, self.get32(last) & 0x000f_ffff | u32::from(offset) << 20);
        }
        self.last_extended = offset;
        self.extended_end += 0x10;
        offset
    }

    pub(crate) fn acs(&mut self, capability: u16) -> &mut Self {
        let offset = usize::from(self.extended(0x0d));
        self.set32(offset + 4, capability.into());
        self.mask32(offset + 4, u32::from(capability) << 16);
        self
    }
}
