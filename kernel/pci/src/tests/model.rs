//! A model of config space: bridges route by the numbers in their registers, BARs hold only address bits.
//!
//! It panics where a real machine would misbehave: two bridges that claim one bus, a BAR that moves while
//! it decodes, an access that is not aligned.

extern crate std;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use addr::{DeviceFunction, PciAddress, PciSpace, PciWindow, PhysAddr, Range};

use crate::{ConfigAccess, FunctionKind, RootBus};

/// Where a function sits: on a root bus, or behind a bridge of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum On {
    Root(u8),
    Behind(usize),
}

/// One function: its bytes and which bits of them can be written.
pub(super) struct Card {
    on: On,
    devfn: u8,
    bytes: RefCell<Vec<u8>>,
    writable: Vec<u8>,
    /// End of what was put into extended config space.
    extended_end: u16,
    last_extended: u16,
    last_capability: u8,
    capability_end: u8,
    /// Registers that hold one value whatever is written, but for the ones of a measurement.
    stuck: Vec<(u16, u32)>,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) cards: Vec<Card>,
    places: HashMap<(On, u8), usize>,
    on_bus: HashMap<On, Vec<usize>>,
    /// Virtual functions: physical function, number, card.
    virtual_functions: Vec<(usize, u16, usize)>,
    roots: Vec<u8>,
    /// Where a bus number leads; forgotten when a bridge's numbers change.
    routes: RefCell<HashMap<u8, Option<On>>>,
    pub(super) reads: Cell<usize>,
    pub(super) writes: usize,
    /// Reads of each BAR register.
    pub(super) bar_reads: RefCell<HashMap<(PciAddress, u16), usize>>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A machine with the host bridge of QEMU's `virt` at 00:00.0.
    pub(super) fn virt() -> Self {
        let mut model = Self::new();
        model.add(On::Root(0), 0, 0, 0x1b36_0008, 0x06_0000);
        model
    }

    pub(super) fn add(&mut self, on: On, device: u8, function: u8, id: u32, class: u32) -> usize {
        let mut card = Card::empty(on, device << 3 | function);
        card.set32(0, id.rotate_left(16));
        card.set32(8, class << 8 | 1);
        card.mask32(4, 0x0000_0547);
        if let On::Root(bus) = on
            && !self.roots.contains(&bus)
        {
            self.roots.push(bus);
        }
        let index = self.cards.len();
        assert!(self.places.insert((on, card.devfn), index).is_none(), "two cards in one place");
        self.cards.push(card);
        self.on_bus.entry(on).or_default().push(index);
        if function == 0 {
            return index;
        }
        // As QEMU: function 0 alone says that there are more.
        if let Some(first) = self.places.get(&(on, device << 3)) {
            self.cards[*first].bytes.borrow_mut()[0x0e] |= 0x80;
        }
        index
    }

    /// An endpoint of any kind with one small BAR.
    pub(super) fn device(&mut self, on: On, device: u8, function: u8, kind: FunctionKind) -> usize {
        let index = self.add(on, device, function, 0x1af4_1041, 0x02_0000);
        self.cards[index].express(kind).memory_bar(1, 0x1000, false, false);
        index
    }

    pub(super) fn bridge(&mut self, on: On, device: u8, function: u8, kind: FunctionKind) -> usize {
        let index = self.add(on, device, function, 0x1b36_000c, 0x06_0400);
        self.cards[index].make_bridge().express(kind);
        index
    }

    pub(super) fn root_port(&mut self, on: On, device: u8) -> usize {
        let index = self.bridge(on, device, 0, FunctionKind::RootPort);
        self.cards[index].acs(0x5f);
        index
    }

    /// Gives a bridge that the one with the number below leads to its buses, as firmware would.
    pub(super) fn set_range(&mut self, bridge: usize, first: u32, last: u32) {
        self.cards[bridge].set32(0x18, last << 16 | first << 8 | (first - 1));
        self.routes.borrow_mut().clear();
    }

    /// The bus of a number, as routed by the bridges now.
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
            // Secondary number 0 is what reset leaves: nothing is forwarded.
            if secondary != 0 && (secondary..=subordinate).contains(&bus) {
                assert!(claimed.is_none(), "bus {bus:#x} is claimed by two bridges of one bus");
                claimed = Some((*index, secondary));
            }
        }
        let (index, secondary) = claimed?;
        if secondary == bus { Some(On::Behind(index)) } else { self.below(On::Behind(index), bus) }
    }

    pub(super) fn card(&self, at: PciAddress) -> Option<usize> {
        if at.segment != 0 {
            return None;
        }
        let plain = self.route(at.bus).and_then(|on| self.places.get(&(on, at.devfn.bits())).copied());
        plain.or_else(|| self.virtual_card(at))
    }

    /// The virtual function at `at`, if it is switched on.
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

    /// Makes `card` a physical function: up to `total` virtual functions, the first `first` IDs after it, one every
    /// `stride`. Each has one 64-bit BAR.
    pub(super) fn physical(&mut self, card: usize, total: u16, first: u16, stride: u16) {
        let Card { on, .. } = self.cards[card];
        let offset = usize::from(self.cards[card].extended(0x10));
        let physical = &mut self.cards[card];
        physical.extended_end += 0x30;
        physical.set32(offset + 0x0c, u32::from(total) << 16 | u32::from(total));
        physical.set32(offset + 0x14, u32::from(stride) << 16 | u32::from(first));
        physical.set32(offset + 0x18, 0x10ca << 16);
        physical.set32(offset + 0x1c, 0x553);
        physical.mask32(offset + 0x08, 0x19);
        physical.mask32(offset + 0x10, 0xffff);
        physical.mask32(offset + 0x20, u32::MAX);
        physical.set32(offset + 0x24, 4);
        physical.mask32(offset + 0x24, !0x3fff);
        physical.mask32(offset + 0x28, u32::MAX);
        for number in 0..total {
            let mut function = Card::empty(on, 0);
            function.set32(0, u32::MAX);
            function.set32(8, 0x02_0000 << 8 | 1);
            function.express(FunctionKind::Endpoint);
            self.virtual_functions.push((card, number, self.cards.len()));
            self.cards.push(function);
        }
    }

    /// Config address of a card, if bridges lead to it.
    pub(super) fn address(&self, card: usize) -> Option<PciAddress> {
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

impl Card {
    fn empty(on: On, devfn: u8) -> Self {
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

    pub(super) fn set32(&mut self, offset: usize, value: u32) {
        self.bytes.borrow_mut()[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn get32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.bytes.borrow()[offset..offset + 4].try_into().unwrap())
    }

    pub(super) fn set8(&mut self, offset: usize, value: u8) {
        self.bytes.borrow_mut()[offset] = value;
    }

    pub(super) fn get8(&self, offset: usize) -> u8 {
        self.bytes.borrow()[offset]
    }

    fn mask32(&mut self, offset: usize, value: u32) {
        self.writable[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn multifunction(&mut self) -> &mut Self {
        self.bytes.borrow_mut()[0x0e] |= 0x80;
        self
    }

    fn make_bridge(&mut self) -> &mut Self {
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

    pub(super) fn without_io_window(&mut self) -> &mut Self {
        self.mask32(0x1c, 0);
        self
    }

    pub(super) fn memory_bar(
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

    /// What reset leaves in a memory BAR.
    pub(super) fn clear_bar(&mut self, number: usize) {
        let offset = 0x10 + 4 * number;
        let low = self.get32(offset);
        self.set32(offset, low & 0xf);
        if low & 4 != 0 {
            self.set32(offset + 4, 0);
        }
    }

    /// The register holds `value` after anything but ones or zero is written.
    pub(super) fn sticks_at(&mut self, offset: u16, value: u32) -> &mut Self {
        self.stuck.push((offset, value));
        self
    }

    /// Every bit of the register can be written, except the lowest.
    pub(super) fn all_writable(&mut self, offset: usize) {
        self.mask32(offset, !1);
    }

    pub(super) fn io_bar(&mut self, number: usize, size: u32) -> &mut Self {
        self.set32(0x10 + 4 * number, 1);
        self.mask32(0x10 + 4 * number, !(size - 1) & 0xfffc);
        self
    }

    pub(super) fn rom(&mut self, size: u32) -> &mut Self {
        let offset = if self.bytes.borrow()[0x0e] & 0x7f == 1 { 0x38 } else { 0x30 };
        self.mask32(offset, !(size - 1) & 0xffff_f800 | 1);
        self
    }

    pub(super) fn capability(&mut self, id: u8, upper: u16) -> u8 {
        let offset = self.capability_end;
        self.set32(offset.into(), u32::from(upper) << 16 | u32::from(id));
        self.bytes.borrow_mut()[0x06] |= 0x10;
        let link = if self.last_capability == 0 { 0x34 } else { usize::from(self.last_capability) + 1 };
        self.set8(link, offset);
        self.last_capability = offset;
        // A virtio capability has a word more than others may have.
        self.capability_end += if id == 0x09 { 0x14 } else { 0x10 };
        offset
    }

    pub(super) fn express(&mut self, kind: FunctionKind) -> &mut Self {
        let value = (0..16).find(|value| FunctionKind::from_port_type(*value) == kind);
        if let Some(value) = value {
            self.capability(0x10, 2 | u16::from(value) << 4);
        }
        self
    }

    /// For a port with its PCIe capability and no other: it can forward by ARI.
    pub(super) fn can_forward_ari(&mut self) -> &mut Self {
        self.set32(0x40 + 0x24, 1 << 5);
        self.mask32(0x40 + 0x28, 1 << 5);
        self
    }

    pub(super) fn ari(&mut self, next: u8) -> &mut Self {
        let offset = usize::from(self.extended(0x0e));
        self.set32(offset + 4, u32::from(next) << 8);
        self
    }

    /// Where the SR-IOV capability of a physical function begins.
    pub(super) fn sriov(&self) -> usize {
        let mut offset = 0x100;
        while self.get32(offset) as u16 != 0x10 {
            offset = (self.get32(offset) >> 20) as usize;
        }
        offset
    }

    pub(super) fn extended(&mut self, id: u16) -> u16 {
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

    pub(super) fn acs(&mut self, capability: u16) -> &mut Self {
        let offset = usize::from(self.extended(0x0d));
        self.set32(offset + 4, capability.into());
        self.mask32(offset + 4, u32::from(capability) << 16);
        self
    }
}

/// The windows of QEMU's `virt`, and all bus numbers.
pub(super) fn virt_root() -> RootBus {
    RootBus { segment: 0, first_bus: 0, last_bus: 255, windows: virt_windows() }
}

pub(super) fn virt_windows() -> Vec<PciWindow> {
    vec![
        window(PciSpace::Io, 0, 0x3eff_0000, 0x1_0000),
        window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 0x2eff_0000),
        window(PciSpace::Memory64, 0x80_0000_0000, 0x80_0000_0000, 0x80_0000_0000),
    ]
}

pub(super) fn window(space: PciSpace, bus_start: u64, cpu: u64, size: u64) -> PciWindow {
    let cpu = Range::from_size(PhysAddr(cpu), size).unwrap();
    PciWindow { space, prefetchable: false, bus_start, cpu }
}

pub(super) fn at(text: &str) -> PciAddress {
    format!("0000:{text}").parse().unwrap()
}

/// IDs of all findings, in order.
pub(super) fn finding_ids(topology: &crate::Topology) -> Vec<&'static str> {
    topology.findings().iter().map(|finding| finding.id).collect()
}

/// The partition into isolation classes, like `00.0 | 02.0 01:00.0`, without bus 0.
pub(super) fn partition(topology: &crate::Topology) -> String {
    let classes = topology.isolation_classes();
    let mut groups: Vec<(crate::FunctionIndex, Vec<String>)> = Vec::new();
    for (index, function) in topology.indexed() {
        let address = function.address;
        let name = if address.bus == 0 {
            format!("{}", address.devfn)
        } else {
            format!("{:02x}:{}", address.bus, address.devfn)
        };
        let leader = classes[index.place()].leader;
        match groups.iter_mut().find(|(other, _)| *other == leader) {
            Some((_, members)) => members.push(name),
            None => groups.push((leader, vec![name])),
        }
    }
    let groups: Vec<String> = groups.into_iter().map(|(_, members)| members.join(" ")).collect();
    groups.join(" | ")
}
