//! One root bus with all that is behind it, and how its bridges come by their numbers.
//!
//! A bridge is opened for one bus at a time, that bus is scanned, and what is below is numbered before its
//! neighbour's turn: numbers grow on the way, and each bridge ends with the range that it needs.

use alloc::vec::Vec;
use core::ops::Range;

use addr::PciAddress;

use crate::config::access::{ConfigAccess, register};
use crate::findings::Reports;
use crate::function::bridge::BusNumbers;
use crate::read::scan::{Seen, scan_bus};
use crate::read::sriov;

/// One root bus and what is behind it, in device order.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) buses: Vec<SeenBus>,
    pub(crate) seen: Vec<Seen>,
}

/// A bus with its functions, a range of [`Tree::seen`].
pub(crate) struct SeenBus {
    pub(crate) segment: u16,
    pub(crate) number: u8,
    /// Index of the bridge that leads here and of the bus that it sits on.
    pub(crate) above: Option<Above>,
    pub(crate) seen: Range<usize>,
}

#[derive(Clone, Copy)]
pub(crate) struct Above {
    pub(crate) bridge: usize,
    pub(crate) bus: usize,
}

/// Numbers from `next` to `end` that nobody has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) next: u16,
    pub(crate) end: u8,
}

impl Gap {
    fn take(&mut self) -> Option<u8> {
        let number = u8::try_from(self.next).ok().filter(|number| *number <= self.end)?;
        self.next += 1;
        Some(number)
    }

    pub(crate) fn room(self) -> u16 {
        (u16::from(self.end) + 1).saturating_sub(self.next)
    }
}

/// Numbers all bridges of a root bus and everything behind them.
///
/// The buses behind one bridge need numbers in a row, so each bridge on the root bus goes into the first
/// gap that takes all that is behind it, or else into the largest.
pub(crate) fn number_root(
    config: &mut dyn ConfigAccess,
    tree: &mut Tree,
    mut gaps: Vec<Gap>,
    reports: &mut Reports,
) {
    let Some(root) = tree.buses.first() else { return };
    let number = root.number;
    for bridge in root.seen.clone() {
        if tree.seen[bridge].bridge().is_none() {
            continue;
        }
        let usable: Vec<usize> = (0..gaps.len()).filter(|gap| gaps[*gap].room() > 0).collect();
        let largest = usable.iter().copied().max_by_key(|gap| (gaps[*gap].room(), usize::MAX - gap));
        let Some(largest) = largest else {
            reports.buses_exhausted(tree.seen[bridge].address, gaps.last().map_or(number, |gap| gap.end));
            continue;
        };
        let mut placed = false;
        // With one gap there is nothing to choose from, and no need to scan twice.
        for gap in usable.iter().copied().filter(|_| usable.len() > 1) {
            let (mark, buses, before) = (reports.mark(), tree.buses.len(), gaps[gap]);
            if tree.number_below(config, bridge, &mut gaps[gap], reports) {
                placed = true;
                break;
            }
            gaps[gap] = before;
            tree.close(config, bridge);
            tree.truncate(buses);
            reports.roll_back(mark);
        }
        if !placed {
            tree.number_below(config, bridge, &mut gaps[largest], reports);
        }
    }
}

/// A bridge whose numbers do not go with the rest.
pub(crate) struct Contradiction {
    pub(crate) bridge: PciAddress,
    pub(crate) register: u32,
}

/// A bus that is being descended from.
struct Frame {
    bus: usize,
    /// Next function of the bus to look at.
    next: usize,
    /// Numbers that bridges on this bus may use, and those that one of them does.
    last: u8,
    claimed: [u64; 4],
}

impl Tree {
    pub(crate) fn add_bus(
        &mut self,
        config: &mut dyn ConfigAccess,
        segment: u16,
        number: u8,
        above: Option<Above>,
        reports: &mut Reports,
    ) -> usize {
        let bridge = above.map(|above| self.seen[above.bridge].as_bridge_above());
        let first = self.seen.len();
        scan_bus(config, (segment, number), bridge, reports, &mut self.seen);
        self.buses.push(SeenBus { segment, number, above, seen: first..self.seen.len() });
        self.buses.len() - 1
    }

    /// How many numbers after that of a bus are left to virtual functions.
    pub(crate) fn reserved_buses(&self, bus: usize) -> u16 {
        let SeenBus { number, seen, .. } = &self.buses[bus];
        sriov::reserved_buses(*number, &self.seen[seen.clone()])
    }

    /// Forgets all buses from index `buses` on.
    pub(crate) fn truncate(&mut self, buses: usize) {
        self.buses.truncate(buses);
        self.seen.truncate(self.buses.last().map_or(0, |bus| bus.seen.end));
        for bridge in self.seen.iter_mut().filter_map(Seen::bridge_mut) {
            let reachable = |buses: &BusNumbers| self.buses.iter().any(|bus| bus.number == buses.secondary);
            bridge.buses = bridge.buses.filter(reachable);
        }
    }

    /// The bus ranges of the bridges on the root bus.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = core::ops::RangeInclusive<u8>> + '_ {
        let on_root = self.buses.first().map_or(0..0, |bus| bus.seen.clone());
        self.seen[on_root]
            .iter()
            .filter_map(|seen| seen.bridge()?.buses)
            .map(|buses| buses.secondary..=buses.subordinate)
    }

    pub(crate) fn last_bus(&self) -> Option<u8> {
        self.buses.iter().map(|bus| bus.number).max()
    }

    /// Makes every bridge on a bus forward nothing, so that two never claim the same number.
    pub(crate) fn close_bridges(&mut self, config: &mut dyn ConfigAccess, bus: usize) {
        for index in self.buses[bus].seen.clone() {
            let open = self.seen[index].bridge().is_some_and(|bridge| bridge.register & 0x00ff_ffff != 0);
            if open {
                self.close(config, index);
            }
        }
    }

    fn close(&mut self, config: &mut dyn ConfigAccess, index: usize) {
        self.write_numbers(config, index, 0, None);
    }

    /// The bridges that forward nothing.
    pub(crate) fn closed(&self) -> impl Iterator<Item = usize> + '_ {
        let closed = |seen: &Seen| seen.bridge().is_some_and(|bridge| bridge.buses.is_none());
        (0..self.seen.len()).filter(move |index| closed(&self.seen[*index]))
    }

    fn write_numbers(
        &mut self,
        config: &mut dyn ConfigAccess,
        index: usize,
        primary: u8,
        buses: Option<BusNumbers>,
    ) {
        let address = self.seen[index].address;
        let Some(bridge) = self.seen[index].bridge_mut() else { return };
        let (secondary, subordinate) = buses.map_or((0, 0), |buses| (buses.secondary, buses.subordinate));
        let latency_timer = bridge.register & 0xff00_0000;
        bridge.register =
            latency_timer | u32::from(subordinate) << 16 | u32::from(secondary) << 8 | u32::from(primary);
        bridge.buses = buses;
        config.write32(address, register::BUS_NUMBERS, bridge.register);
    }

    /// Gives the bus behind `bridge` the next number of `gap`, and so on below it. False if `gap` did not
    /// suffice; each bridge that got none is a finding then, and stays closed.
    fn number_below(
        &mut self,
        config: &mut dyn ConfigAccess,
        bridge: usize,
        gap: &mut Gap,
        reports: &mut Reports,
    ) -> bool {
        let mut complete = true;
        // Indices of the buses between the root bus and where we are; numbers grow on the way, so at most 255.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut from = (0, bridge);
        loop {
            match self.open(config, from.0, from.1, gap, reports) {
                Some(bus) => path.push((bus, self.buses[bus].seen.start)),
                None => complete = false,
            }
            from = loop {
                let Some((bus, next)) = path.last_mut() else { return complete };
                let bus = *bus;
                let found =
                    (*next..self.buses[bus].seen.end).find(|index| self.seen[*index].bridge().is_some());
                if let Some(index) = found {
                    *next = index + 1;
                    break (bus, index);
                }
                self.finish(config, bus, gap);
                path.pop();
            };
        }
    }

    /// Opens `bridge` on bus `on` for one new bus and all that may come below it, and scans that bus.
    fn open(
        &mut self,
        config: &mut dyn ConfigAccess,
        on: usize,
        bridge: usize,
        gap: &mut Gap,
        reports: &mut Reports,
    ) -> Option<usize> {
        let Some(secondary) = gap.take() else {
            reports.buses_exhausted(self.seen[bridge].address, gap.end);
            return None;
        };
        let (segment, primary) = (self.buses[on].segment, self.buses[on].number);
        self.write_numbers(config, bridge, primary, Some(BusNumbers { secondary, subordinate: gap.end }));
        let bus = self.add_bus(config, segment, secondary, Some(Above { bridge, bus: on }), reports);
        gap.next += self.reserved_buses(bus).min(gap.room());
        self.close_bridges(config, bus);
        Some(bus)
    }

    /// Narrows the bridge to `bus` to what turned out to be behind it.
    fn finish(&mut self, config: &mut dyn ConfigAccess, bus: usize, gap: &Gap) {
        let Some(above) = self.buses[bus].above else { return };
        let (primary, secondary) = (self.buses[above.bus].number, self.buses[bus].number);
        let subordinate = u8::try_from(gap.next - 1).unwrap_or(u8::MAX);
        self.write_numbers(config, above.bridge, primary, Some(BusNumbers { secondary, subordinate }));
    }

    /// Follows the numbers that firmware left, as long as they make a tree.
    pub(crate) fn keep(
        &mut self,
        config: &mut dyn ConfigAccess,
        last: u8,
        reports: &mut Reports,
    ) -> Result<(), Contradiction> {
        let mut path = Vec::from([Frame { bus: 0, next: self.buses[0].seen.start, last, claimed: [0; 4] }]);
        let mut parked = Vec::new();
        while let Some(frame) = path.last_mut() {
            let bus = &self.buses[frame.bus];
            let found = (frame.next..bus.seen.end).find(|index| self.seen[*index].bridge().is_some());
            let Some(index) = found else {
                path.pop();
                continue;
            };
            frame.next = index + 1;
            let seen = &mut self.seen[index];
            let address = seen.address;
            let Some(bridge) = seen.bridge_mut() else { continue };
            let register = bridge.register;
            if is_parked(register) {
                parked.push((address, register));
                continue;
            }
            let Some(buses) = consistent(register, bus.number, frame) else {
                return Err(Contradiction { bridge: address, register });
            };
            bridge.buses = Some(buses);
            let above = Above { bridge: index, bus: frame.bus };
            let bus = self.add_bus(config, address.segment, buses.secondary, Some(above), reports);
            let next = self.buses[bus].seen.start;
            path.push(Frame { bus, next, last: buses.subordinate, claimed: [0; 4] });
        }
        // A bridge goes without numbers only if none is left.
        let is_free = |number: u8| !self.ranges().any(|range| range.contains(&number));
        let first = self.buses[0].number;
        if let Some((bridge, register)) = parked.first().copied()
            && (first..=last).skip(1).any(is_free)
        {
            return Err(Contradiction { bridge, register });
        }
        for (bridge, _) in parked {
            reports.buses_exhausted(bridge, last);
        }
        Ok(())
    }
}

/// Whether a bridge with these numbers forwards nothing, but does not look as if it led to bus 0 either.
fn is_parked(register: u32) -> bool {
    let [_, secondary, subordinate, _] = register.to_le_bytes();
    subordinate < secondary
}

/// The numbers in `register` if they fit a bridge on bus `bus` beside those of its neighbours.
fn consistent(register: u32, bus: u8, frame: &mut Frame) -> Option<BusNumbers> {
    let [primary, secondary, subordinate, _] = register.to_le_bytes();
    let fits = primary == bus && bus < secondary && secondary <= subordinate && subordinate <= frame.last;
    if !fits {
        return None;
    }
    for number in secondary..=subordinate {
        let (word, bit) = (usize::from(number >> 6), 1u64 << (number & 63));
        if frame.claimed[word] & bit != 0 {
            return None;
        }
        frame.claimed[word] |= bit;
    }
    Some(BusNumbers { secondary, subordinate })
}
