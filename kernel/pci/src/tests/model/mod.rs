//! A model of config space: bridges route by the bus numbers in their registers, and BARs keep only address bits.
//!
//! It panics where real hardware would misbehave: if two bridges claim the same bus, if a BAR changes while it is
//! decoded, or if an access is not aligned.

extern crate std;

mod access;
mod card;
mod topology;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::vec::Vec;

use addr::PciAddress;

use crate::FunctionKind;

use card::Card;
pub(crate) use topology::{at, finding_ids, isolated, isolated_with, kept, partition, virt_root, window};

/// The bus of a function: a root bus, or the bus behind a bridge of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum On {
    Root(u8),
    Behind(usize),
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) cards: Vec<Card>,
    places: HashMap<(On, u8), usize>,
    on_bus: HashMap<On, Vec<usize>>,
    /// Virtual functions: physical function, number, and card.
    virtual_functions: Vec<(usize, u16, usize)>,
    roots: Vec<u8>,
    /// The buses that numbers lead to; cleared when the numbers of a bridge change.
    routes: RefCell<HashMap<u8, Option<On>>>,
    pub(crate) reads: Cell<usize>,
    pub(crate) writes: usize,
    /// The number of reads of each BAR register.
    pub(crate) bar_reads: RefCell<HashMap<(PciAddress, u16), usize>>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A machine with the host bridge of QEMU's `virt` at 00:00.0.
    pub(crate) fn virt() -> Self {
        let mut model = Self::new();
        model.add(On::Root(0), 0, 0, 0x1b36_0008, 0x06_0000);
        model
    }

    pub(crate) fn add(&mut self, on: On, device: u8, function: u8, id: u32, class: u32) -> usize {
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
        // As in QEMU: only function 0 has the multifunction bit.
        if let Some(first) = self.places.get(&(on, device << 3)) {
            self.cards[*first].bytes.borrow_mut()[0x0e] |= 0x80;
        }
        index
    }

    /// Adds the function of an expander on bus 0, which stands for the host bridge of another root bus (QEMU:
    /// `pxb-pcie`).
    pub(crate) fn expander(&mut self) {
        self.add(On::Root(0), 0x1f, 0, 0x1b36_000b, 0x06_0000);
    }

    /// Adds an endpoint of any kind with one small BAR.
    pub(crate) fn device(&mut self, on: On, device: u8, function: u8, kind: FunctionKind) -> usize {
        let index = self.add(on, device, function, 0x1af4_1041, 0x02_0000);
        self.cards[index].express(kind).memory_bar(1, 0x1000, false, false);
        index
    }

    pub(crate) fn bridge(&mut self, on: On, device: u8, function: u8, kind: FunctionKind) -> usize {
        let index = self.add(on, device, function, 0x1b36_000c, 0x06_0400);
        self.cards[index].make_bridge().express(kind);
        index
    }

    pub(crate) fn root_port(&mut self, on: On, device: u8) -> usize {
        let index = self.bridge(on, device, 0, FunctionKind::RootPort);
        self.cards[index].acs(0x5f);
        index
    }

    /// Forgets where bus numbers lead, after cards came or went.
    pub(crate) fn forget_routes(&mut self) {
        self.routes.borrow_mut().clear();
    }

    /// Takes out the cards directly behind a bridge.
    pub(crate) fn take_out(&mut self, bridge: usize) {
        let on = On::Behind(bridge);
        self.on_bus.remove(&on);
        self.places.retain(|(bus, _), _| *bus != on);
        self.forget_routes();
    }

    /// Resets the BARs and bus numbers of all cards behind a bridge, as if they had been taken out and put back.
    pub(crate) fn reset_behind(&mut self, bridge: usize) {
        for index in self.on_bus.get(&On::Behind(bridge)).cloned().unwrap_or_default() {
            let card = &mut self.cards[index];
            card.set32(4, card.get32(4) & 0xffff_0000);
            if card.get8(0x0e) & 0x7f == 1 {
                [0x18, 0x1c, 0x20, 0x28, 0x2c].into_iter().for_each(|register| card.set32(register, 0));
                card.set32(0x24, 0x0001_0001);
                self.reset_behind(index);
            } else {
                (0..6).for_each(|bar| self.cards[index].clear_bar(bar));
            }
        }
        self.forget_routes();
    }

    /// Sets the bus numbers of a bridge on bus `first - 1`, as firmware would.
    pub(crate) fn set_range(&mut self, bridge: usize, first: u32, last: u32) {
        self.cards[bridge].set32(0x18, last << 16 | first << 8 | (first - 1));
        self.routes.borrow_mut().clear();
    }

    /// Makes `card` a physical function with `total` virtual functions. The first has the ID of `card` plus `first`,
    /// each following one `stride` more, and each has one 64-bit BAR.
    pub(crate) fn physical(&mut self, card: usize, total: u16, first: u16, stride: u16) {
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
}
