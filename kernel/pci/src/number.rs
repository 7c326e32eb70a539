//! Bus numbers for every bridge of the machine, also behind root buses that firmware does not describe.
//!
//! A host bridge without a description still answers on its root bus (QEMU's `pxb-pcie` under a device
//! tree). Its bridges come out of reset with the secondary number 0, and an IOMMU that finds devices by
//! bus number may take their buses for bus 0. So all root buses are looked for first, and all bridges get
//! numbers, before anything is read that depends on them.

use alloc::vec::Vec;
use core::ops::Range;

use addr::{DeviceFunction, PciAddress};

use crate::access::{ConfigAccess, register};
use crate::bridge::BusNumbers;
use crate::enumerate::{Numbering, RootBus};
use crate::reports::Reports;
use crate::scan::{Seen, answers, scan_bus};
use crate::topology::HiddenRoot;

/// All root buses with everything behind them, numbered.
pub(crate) struct Numbered {
    /// The described ones, in firmware's order, each with its index in firmware's list.
    pub(crate) trees: Vec<(usize, Tree)>,
    pub(crate) hidden: Vec<HiddenRoot>,
}

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

/// A root bus on its way to being numbered.
struct Root {
    /// Index in firmware's list; none if it is not there.
    described: Option<usize>,
    segment: u16,
    number: u8,
    last: u8,
    tree: Tree,
    /// Its tree is complete, with the numbers that firmware left.
    kept: bool,
}

/// Numbers from `next` to `end` that nobody has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    next: u16,
    end: u8,
}

impl Gap {
    fn take(&mut self) -> Option<u8> {
        let number = u8::try_from(self.next).ok().filter(|number| *number <= self.end)?;
        self.next += 1;
        Some(number)
    }

    fn room(self) -> u16 {
        (u16::from(self.end) + 1).saturating_sub(self.next)
    }
}

/// Finds all root buses and numbers all bridges.
pub(crate) fn number_all(
    config: &mut dyn ConfigAccess,
    described: &[RootBus],
    numbering: Numbering,
    reports: &mut Reports,
) -> Numbered {
    let mut roots = described_roots(config, described, numbering, reports);
    let mut segments: Vec<u16> = roots.iter().map(|root| root.segment).collect();
    segments.sort_unstable();
    segments.dedup();
    for segment in segments {
        find_hidden(config, segment, numbering, &mut roots, reports);
    }
    // Hidden roots first: what they take is next to their own number, and the rest is planned around it.
    for index in (0..roots.len()).rev() {
        if !roots[index].kept {
            let gaps = gaps_of(&roots, index);
            number_root(config, &mut roots[index].tree, gaps, reports);
        }
    }
    park_all(config, &mut roots);
    let mut numbered = Numbered { trees: Vec::new(), hidden: Vec::new() };
    for root in roots {
        match root.described {
            Some(index) => numbered.trees.push((index, root.tree)),
            None => numbered.hidden.push(report_hidden(&root, reports)),
        }
    }
    numbered
}

/// Gives the secondary bus of every bridge that got no numbers one that no function has, and no range.
///
/// Such a bridge forwards nothing either way. But an IOMMU that finds a bus by the number in the bridge to
/// it takes a secondary number 0 for bus 0, and then knows none of the functions there (QEMU 7.2 and 10.0:
/// `iommu_find_iommu_pcibus`). Bridges behind such a bridge cannot be reached and stay as reset leaves them.
fn park_all(config: &mut dyn ConfigAccess, roots: &mut [Root]) {
    for index in 0..roots.len() {
        if roots[index].tree.closed().next().is_none() {
            continue;
        }
        let number = parking_number(roots, roots[index].segment);
        roots[index].tree.park(config, number);
    }
}

/// The highest bus number of `segment` that nobody has; if all are taken, one of a bus without functions.
fn parking_number(roots: &[Root], segment: u16) -> u8 {
    let (mut taken, mut inhabited) = ([false; 256], [false; 256]);
    for bus in roots.iter().filter(|root| root.segment == segment).flat_map(|root| &root.tree.buses) {
        taken[usize::from(bus.number)] = true;
        inhabited[usize::from(bus.number)] |= !bus.seen.is_empty();
    }
    let last_without = |set: &[bool; 256]| (0..=u8::MAX).rev().find(|number| !set[usize::from(*number)]);
    last_without(&taken).or_else(|| last_without(&inhabited)).unwrap_or(u8::MAX)
}

fn report_hidden(root: &Root, reports: &mut Reports) -> HiddenRoot {
    let hidden = HiddenRoot {
        segment: root.segment,
        bus: root.number,
        last_bus: root.tree.last_bus().unwrap_or(root.number),
        functions: root.tree.seen.len() as u32,
    };
    reports.hidden_root(root_address(root.segment, root.number), hidden.last_bus, hidden.functions);
    hidden
}

/// A root bus as a subject of findings: its first place.
fn root_address(segment: u16, bus: u8) -> PciAddress {
    PciAddress { segment, bus, devfn: DeviceFunction::from_bits(0) }
}

/// The root buses that firmware describes, each with its own bus scanned and its bridges closed or kept.
fn described_roots(
    config: &mut dyn ConfigAccess,
    described: &[RootBus],
    numbering: Numbering,
    reports: &mut Reports,
) -> Vec<Root> {
    let mut roots: Vec<Root> = Vec::new();
    for (index, root) in described.iter().enumerate() {
        let at = root_address(root.segment, root.first_bus);
        if root.last_bus < root.first_bus {
            reports.root_range_empty(at, root.last_bus);
        } else if roots.iter().any(|other| (other.segment, other.number) == (root.segment, root.first_bus)) {
            reports.root_twice(at);
        } else {
            let others: Vec<u8> = described
                .iter()
                .filter(|other| other.segment == root.segment && other.first_bus > root.first_bus)
                .map(|other| other.first_bus)
                .collect();
            // A range that runs into the next root bus ends before it.
            let last = others.into_iter().map(|first| first - 1).fold(root.last_bus, u8::min);
            roots.push(start_root(
                config,
                Some(index),
                (root.segment, root.first_bus),
                last,
                numbering,
                reports,
            ));
        }
    }
    roots
}

/// Scans one root bus. Keeps its tree as firmware numbered it, or closes its bridges.
fn start_root(
    config: &mut dyn ConfigAccess,
    described: Option<usize>,
    (segment, number): (u16, u8),
    last: u8,
    numbering: Numbering,
    reports: &mut Reports,
) -> Root {
    let mut tree = Tree::default();
    tree.add_bus(config, segment, number, None, reports);
    let mut kept = false;
    if numbering == Numbering::Keep {
        match tree.keep(config, last, reports) {
            Ok(()) => kept = true,
            Err(contradiction) => {
                tree.truncate(1);
                reports.buses_renumbered(contradiction.bridge, contradiction.register);
            }
        }
    }
    if !kept {
        tree.close_bridges(config, 0);
    }
    Root { described, segment, number, last, tree, kept }
}

/// Looks for root buses that firmware does not describe: whatever answers while all bridges are closed.
fn find_hidden(
    config: &mut dyn ConfigAccess,
    segment: u16,
    numbering: Numbering,
    roots: &mut Vec<Root>,
    reports: &mut Reports,
) {
    let described = roots.len();
    for number in 0..=u8::MAX {
        let known = roots.iter().any(|root| root.segment == segment && root.holds(number));
        if known || !(0..32).any(|device| answers(config, slot(segment, number, device))) {
            continue;
        }
        roots.push(start_root(config, None, (segment, number), u8::MAX, numbering, reports));
    }
    // One that was found through a bridge of a later one, still open then, is silent now.
    let mut index = described;
    while index < roots.len() {
        let still = roots[index].tree.seen.first().is_some_and(|first| answers(config, first.address));
        if still {
            index += 1;
        } else {
            roots.remove(index);
        }
    }
}

fn slot(segment: u16, bus: u8, device: u8) -> PciAddress {
    PciAddress { segment, bus, devfn: DeviceFunction::from_bits(device << 3) }
}

impl Root {
    /// Whether `bus` is this root bus or behind one of its bridges.
    fn holds(&self, bus: u8) -> bool {
        bus == self.number || self.tree.ranges().any(|range| range.contains(&bus))
    }
}

/// The numbers that root `index` may give out: its own range without what other roots hold.
fn gaps_of(roots: &[Root], index: usize) -> Vec<Gap> {
    let own = &roots[index];
    let others: Vec<&Root> =
        roots.iter().filter(|other| other.segment == own.segment && other.number != own.number).collect();
    let mut last = own.last;
    if own.described.is_none() {
        // Next to its own number, inside the described range that it stands in, up to the next root bus.
        let around = others.iter().filter(|other| other.described.is_some());
        last = around
            .filter(|other| other.number < own.number && own.number <= other.last)
            .map(|other| other.last)
            .fold(last, u8::min);
        last = others
            .iter()
            .filter(|other| other.number > own.number)
            .map(|other| other.number - 1)
            .fold(last, u8::min);
    }
    let mut taken = [false; 256];
    for other in others {
        taken[usize::from(other.number)] = true;
        for range in other.tree.ranges() {
            taken[usize::from(*range.start())..=usize::from(*range.end())].fill(true);
        }
    }
    let mut gaps: Vec<Gap> = Vec::new();
    for number in u16::from(own.number) + 1..=u16::from(last) {
        if taken[usize::from(number)] {
            continue;
        }
        match gaps.last_mut() {
            Some(gap) if u16::from(gap.end) + 1 == number => gap.end = number as u8,
            _ => gaps.push(Gap { next: number, end: number as u8 }),
        }
    }
    gaps
}

/// Numbers all bridges of a root bus and everything behind them.
///
/// The buses behind one bridge need numbers in a row, so each bridge on the root bus goes into the first
/// gap that takes all that is behind it, or else into the largest.
fn number_root(config: &mut dyn ConfigAccess, tree: &mut Tree, mut gaps: Vec<Gap>, reports: &mut Reports) {
    let Some(root) = tree.buses.first() else { return };
    for bridge in root.seen.clone() {
        if tree.seen[bridge].bridge().is_none() {
            continue;
        }
        let usable: Vec<usize> = (0..gaps.len()).filter(|gap| gaps[*gap].room() > 0).collect();
        let largest = usable.iter().copied().max_by_key(|gap| (gaps[*gap].room(), usize::MAX - gap));
        let Some(largest) = largest else {
            reports.buses_exhausted(tree.seen[bridge].address, gaps.last().map_or(0, |gap| gap.end));
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
struct Contradiction {
    bridge: PciAddress,
    register: u32,
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
    fn add_bus(
        &mut self,
        config: &dyn ConfigAccess,
        segment: u16,
        number: u8,
        above: Option<Above>,
        reports: &mut Reports,
    ) -> usize {
        let link = above
            .and_then(|above| self.seen[above.bridge].bridge())
            .is_some_and(|bridge| bridge.kind.leads_to_a_link());
        let first = self.seen.len();
        scan_bus(config, (segment, number), if link { 1 } else { 32 }, reports, &mut self.seen);
        self.buses.push(SeenBus { segment, number, above, seen: first..self.seen.len() });
        self.buses.len() - 1
    }

    /// Forgets all buses from index `buses` on.
    fn truncate(&mut self, buses: usize) {
        self.buses.truncate(buses);
        self.seen.truncate(self.buses.last().map_or(0, |bus| bus.seen.end));
        for bridge in self.seen.iter_mut().filter_map(Seen::bridge_mut) {
            let reachable = |buses: &BusNumbers| self.buses.iter().any(|bus| bus.number == buses.secondary);
            bridge.buses = bridge.buses.filter(reachable);
        }
    }

    /// The bus ranges of the bridges on the root bus.
    fn ranges(&self) -> impl Iterator<Item = core::ops::RangeInclusive<u8>> + '_ {
        let on_root = self.buses.first().map_or(0..0, |bus| bus.seen.clone());
        self.seen[on_root]
            .iter()
            .filter_map(|seen| seen.bridge()?.buses)
            .map(|buses| buses.secondary..=buses.subordinate)
    }

    fn last_bus(&self) -> Option<u8> {
        self.buses.iter().map(|bus| bus.number).max()
    }

    /// Makes every bridge on a bus forward nothing, so that two never claim the same number.
    fn close_bridges(&mut self, config: &mut dyn ConfigAccess, bus: usize) {
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
    fn closed(&self) -> impl Iterator<Item = usize> + '_ {
        let closed = |seen: &Seen| seen.bridge().is_some_and(|bridge| bridge.buses.is_none());
        (0..self.seen.len()).filter(move |index| closed(&self.seen[*index]))
    }

    /// Writes `secondary` into every closed bridge, with a subordinate number below it.
    fn park(&mut self, config: &mut dyn ConfigAccess, secondary: u8) {
        let closed: Vec<usize> = self.closed().collect();
        for index in closed {
            let address = self.seen[index].address;
            let Some(bridge) = self.seen[index].bridge_mut() else { continue };
            let latency_timer = bridge.register & 0xff00_0000;
            bridge.register = latency_timer | u32::from(secondary) << 8 | u32::from(address.bus);
            config.write32(address, register::BUS_NUMBERS, bridge.register);
        }
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
    fn keep(
        &mut self,
        config: &dyn ConfigAccess,
        last: u8,
        reports: &mut Reports,
    ) -> Result<(), Contradiction> {
        let mut path = Vec::from([Frame { bus: 0, next: self.buses[0].seen.start, last, claimed: [0; 4] }]);
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
            let Some(buses) = consistent(register, bus.number, frame) else {
                return Err(Contradiction { bridge: address, register });
            };
            bridge.buses = Some(buses);
            let above = Above { bridge: index, bus: frame.bus };
            let bus = self.add_bus(config, address.segment, buses.secondary, Some(above), reports);
            let next = self.buses[bus].seen.start;
            path.push(Frame { bus, next, last: buses.subordinate, claimed: [0; 4] });
        }
        Ok(())
    }
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
