//! Bus numbers for every bridge of the machine, also behind root buses that firmware does not describe.
//!
//! A host bridge without a description still answers on its root bus (QEMU's `pxb-pcie` under a device
//! tree). Its bridges come out of reset with the secondary number 0, and an IOMMU that finds devices by
//! bus number may take their buses for bus 0. So all root buses are looked for first, and all bridges get
//! numbers, before anything is read that depends on them.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::config::access::ConfigAccess;
use crate::enumerate::{Numbering, RootBus};
use crate::findings::Reports;
use crate::read::parking;
use crate::read::scan::answers;
use crate::read::tree::{Gap, Tree, number_root};
use crate::topology::HiddenRoot;

/// All root buses with everything behind them, numbered.
pub(crate) struct Numbered {
    /// The described ones, in firmware's order, each with its index in firmware's list.
    pub(crate) trees: Vec<(usize, Tree)>,
    pub(crate) hidden: Vec<HiddenRoot>,
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
    for index in 0..roots.len() {
        if !roots[index].kept && roots[index].tree.closed().next().is_some() {
            park_the_rest(config, &mut roots, index);
        }
    }
    let mut numbered = Numbered { trees: Vec::new(), hidden: Vec::new() };
    for root in roots {
        match root.described {
            Some(index) => numbered.trees.push((index, root.tree)),
            None => numbered.hidden.push(report_hidden(&root, reports)),
        }
    }
    numbered
}

/// Keeps bridges of root `index` that got no numbers from looking as if they led to bus 0.
///
/// The first round of numbering told that there are some. All behind the root bus is parked then, which
/// needs numbers itself, and numbered a second time, with the same result.
fn park_the_rest(config: &mut dyn ConfigAccess, roots: &mut [Root], index: usize) {
    let segment = roots[index].segment;
    let others = roots.iter().filter(|root| root.segment == segment);
    let parking = parking::number(others.map(|root| &root.tree));
    let gaps = gaps_of(roots, index);
    let root = &mut roots[index];
    if let Some(largest) = gaps.iter().copied().max_by_key(|gap| gap.room()) {
        root.tree.truncate(1);
        root.tree.close_bridges(config, 0);
        parking::park_all_below(config, &root.tree, largest, parking);
        number_root(config, &mut root.tree, gaps, &mut Reports::default());
    }
    parking::park_closed(config, &mut root.tree, parking);
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
        let first = usize::from(other.number);
        let reserved = first + usize::from(other.tree.reserved_buses(0));
        taken[first..=reserved.min(255)].fill(true);
        for range in other.tree.ranges() {
            taken[usize::from(*range.start())..=usize::from(*range.end())].fill(true);
        }
    }
    let mut gaps: Vec<Gap> = Vec::new();
    let first = u16::from(own.number) + 1 + own.tree.reserved_buses(0);
    for number in first..=u16::from(last) {
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
