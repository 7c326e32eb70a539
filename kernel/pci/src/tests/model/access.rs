//! Access to the model: routing by bus number, reads and writes.

extern crate std;

use std::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use super::{Model, On};
use crate::ConfigAccess;

impl Model {
    /// The bus to which the bridges route a number.
    fn route(&self, bus: u8) -> Option<On> {
        if let Some(known) = self.routes.borrow().get(&bus) {
            return *known;
        }
        let route = if self.roots.contains(&bus) {
            Some(On::Root(bus))
        } else {
            let roots = self.roots.iter().map(|root| On::Root(*root));
            let claimed: Vec<On> = roots.filter_map(|root| self.below(root, bus)).collect();
            assert!(claimed.len() < 2, "bus {bus:#x} is claimed twice");
            claimed.first().copied()
        };
        self.routes.borrow_mut().insert(bus, route);
        route
    }

    fn below(&self, on: On, bus: u8) -> Option<On> {
        let mut claimed = None;
        for index in self.on_bus.get(&on).into_iter().flatten() {
            let card = &self.cards[*index];
            if card.get8(0x0e) & 0x7f != 1 {
                continue;
            }
            let [_, secondary, subordinate, _] = card.get32(0x18).to_le_bytes();
            // After reset, the secondary number is 0, and nothing is forwarded.
            if secondary != 0 && (secondary..=subordinate).contains(&bus) {
                assert!(claimed.is_none(), "bus {bus:#x} is claimed by two bridges of one bus");
                claimed = Some((*index, secondary));
            }
        }
        let (index, secondary) = claimed?;
        if secondary == bus { Some(On::Behind(index)) } else { self.below(On::Behind(index), bus) }
    }

    pub(crate) fn card(&self, at: PciAddress) -> Option<usize> {
        if at.segment != 0 {
            return None;
        }
        let plain = self.route(at.bus).and_then(|on| self.places.get(&(on, at.devfn.bits())).copied());
        plain.or_else(|| self.virtual_card(at))
    }

    /// The virtual function at `at`, if it is enabled.
    fn virtual_card(&self, at: PciAddress) -> Option<usize> {
        let here = |(physical, number, _): &&(usize, u16, usize)| {
            let card = &self.cards[*physical];
            let capability = card.sriov();
            let (control, count) = (card.get32(capability + 8), card.get32(capability + 0x10) as u16);
            let (first, stride) = (card.get32(capability + 0x14) as u16, card.get32(capability + 0x14) >> 16);
            let own = || Some(self.address(*physical)?.requester_id().0);
            control & 9 == 9
                && *number < count
                && own().is_some_and(|own| own + first + stride as u16 * number == at.requester_id().0)
        };
        self.virtual_functions.iter().find(here).map(|(_, _, card)| *card)
    }

    /// The address of a card, if bridges lead to it.
    pub(crate) fn address(&self, card: usize) -> Option<PciAddress> {
        (0..=255u8).find_map(|bus| {
            let devfn = DeviceFunction::from_bits(self.cards[card].devfn);
            (self.route(bus)? == self.cards[card].on).then_some(PciAddress { segment: 0, bus, devfn })
        })
    }

    fn read(&self, at: PciAddress, offset: u16, size: usize) -> u32 {
        assert!(usize::from(offset) % size == 0 && offset < 4096, "access of {size} at {offset:#x}");
        self.reads.set(self.reads.get() + 1);
        if (0x10..0x28).contains(&offset) {
            *self.bar_reads.borrow_mut().entry((at, offset)).or_default() += 1;
        }
        let Some(card) = self.card(at) else { return u32::MAX };
        let bytes = self.cards[card].bytes.borrow();
        (0..size).fold(0, |value, byte| value | u32::from(bytes[usize::from(offset) + byte]) << (8 * byte))
    }

    fn write(&mut self, at: PciAddress, offset: u16, size: usize, value: u32) {
        assert!(usize::from(offset) % size == 0 && offset < 4096, "access of {size} at {offset:#x}");
        self.writes += 1;
        let Some(card) = self.card(at) else { return };
        let card = &self.cards[card];
        let decoding = card.bytes.borrow()[4] & 3 != 0;
        if offset == 0x18 {
            self.routes.borrow_mut().clear();
        }
        let bars = if card.bytes.borrow()[0x0e] & 0x7f == 1 { 0x10..0x18 } else { 0x10..0x28 };
        assert!(!(decoding && bars.contains(&offset)), "{at}: BAR at {offset:#x} written while it decodes");
        for byte in 0..size {
            let place = usize::from(offset) + byte;
            let writable = card.writable[place];
            let mut bytes = card.bytes.borrow_mut();
            bytes[place] = bytes[place] & !writable | (value >> (8 * byte)) as u8 & writable;
        }
        let stuck =
            card.stuck.iter().find(|(at, _)| *at == offset).filter(|_| value != 0 && value != u32::MAX);
        if let Some((_, held)) = stuck {
            card.bytes.borrow_mut()[usize::from(offset)..][..4].copy_from_slice(&held.to_le_bytes());
        }
    }
}

impl ConfigAccess for Model {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        self.read(at, offset, 1) as u8
    }
    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        self.read(at, offset, 2) as u16
    }
    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.read(at, offset, 4)
    }
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        self.write(at, offset, 1, value.into());
    }
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        self.write(at, offset, 2, value.into());
    }
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        self.write(at, offset, 4, value);
    }
}
