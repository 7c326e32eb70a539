//! Root buses: those that firmware describes, and others that answer.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::config::access::{ConfigAccess, answers};
use crate::findings::Findings;
use crate::policy::Numbering;
use crate::read::numbering::gap::Gap;
use crate::read::numbering::keep;
use crate::read::numbering::tree::{ROOT, Tree};
use crate::read::scanned::{HOST_BRIDGE, ScannedFunction};
use crate::topology::root_bus::RootBus;

/// A root bus while its bridges are being numbered.
pub(crate) struct Root {
    /// The index in firmware's list; none if firmware does not describe it.
    pub(crate) described: Option<usize>,
    pub(crate) segment: u16,
    pub(crate) number: u8,
    pub(crate) last: u8,
    pub(crate) tree: Tree,
    /// Whether its tree is complete with the numbers that firmware left.
    pub(crate) kept: bool,
}

/// Scans the root buses that firmware describes, and keeps or closes their bridges.
pub(crate) fn described_roots(
    config: &mut dyn ConfigAccess,
    described: &[RootBus],
    numbering: Numbering,
    findings: &mut Findings,
) -> Vec<Root> {
    let mut roots: Vec<Root> = Vec::new();
    for (index, root) in described.iter().enumerate() {
        let at = root_address(root.segment, root.first_bus);
        if root.last_bus < root.first_bus {
            findings.root_range_empty(at, root.last_bus);
        } else if roots.iter().any(|other| (other.segment, other.number) == (root.segment, root.first_bus)) {
            findings.root_twice(at);
        } else {
            // A range that extends into the next root bus ends before it.
            let mut last = root.last_bus;
            for other in described {
                if other.segment == root.segment && other.first_bus > root.first_bus {
                    last = last.min(other.first_bus - 1);
                }
            }
            roots.push(start_root(
                config,
                Some(index),
                (root.segment, root.first_bus),
                last,
                numbering,
                findings,
            ));
        }
    }
    roots
}

/// Scans one root bus. Keeps firmware's numbers if possible, else closes all bridges on it.
fn start_root(
    config: &mut dyn ConfigAccess,
    described: Option<usize>,
    (segment, number): (u16, u8),
    last: u8,
    numbering: Numbering,
    findings: &mut Findings,
) -> Root {
    let mut tree = Tree::default();
    tree.add_bus(config, segment, number, None, findings);
    let mut kept = false;
    if numbering == Numbering::Keep {
        match keep::follow(config, &mut tree, last, findings) {
            Ok(()) => kept = true,
            Err(contradiction) => {
                tree.truncate(1);
                findings.buses_renumbered(contradiction.bridge, contradiction.register);
            }
        }
    }
    if !kept {
        tree.close_bridges(config, ROOT);
    }
    Root { described, segment, number, last, tree, kept }
}

/// Finds root buses that firmware does not describe: every bus that answers while all bridges are closed.
///
/// Such a bus belongs to an expander: a function of class "host bridge" on a bus that is described, beside that bus's
/// own (`pxb-pcie` of QEMU 7.2, 10.0 and 11.1). Without one, the buses are not asked: 8,192 reads would take longer than
/// all others on a small machine. They are asked as well if a described bus is empty, because the description may then
/// be wrong about more.
pub(crate) fn find_hidden(
    config: &mut dyn ConfigAccess,
    segment: u16,
    numbering: Numbering,
    roots: &mut Vec<Root>,
    findings: &mut Findings,
) {
    let described = roots.len();
    let may_hide = |root: &Root| {
        let functions = root.tree.functions();
        root.segment == segment && (functions.is_empty() || functions.iter().any(is_expander))
    };
    if !roots.iter().any(may_hide) {
        return;
    }
    for number in 0..=u8::MAX {
        let known = roots.iter().any(|root| root.segment == segment && root.holds(number));
        if known || !(0..32).any(|device| answers(config, slot(segment, number, device))) {
            continue;
        }
        roots.push(start_root(config, None, (segment, number), u8::MAX, numbering, findings));
    }
    // A bus that was found through an open bridge of a later root bus does not answer any more.
    let mut index = described;
    while index < roots.len() {
        let still = roots[index].tree.functions().first().is_some_and(|first| answers(config, first.address));
        if still {
            index += 1;
        } else {
            roots.remove(index);
        }
    }
}

/// Whether it is a host bridge, and not that of the bus that it is on, which is its first function.
fn is_expander(function: &ScannedFunction) -> bool {
    function.class_revision >> 16 == HOST_BRIDGE && function.address.devfn.bits() != 0
}

impl Root {
    /// Whether `bus` is this root bus or a bus behind it.
    fn holds(&self, bus: u8) -> bool {
        bus == self.number || self.tree.ranges().any(|range| range.contains(&bus))
    }
}

/// The free numbers of root `index`: its own range without the numbers of other root buses.
pub(crate) fn gaps_of(roots: &[Root], index: usize) -> Vec<Gap> {
    let own = &roots[index];
    let others: Vec<&Root> =
        roots.iter().filter(|other| other.segment == own.segment && other.number != own.number).collect();
    let mut last = own.last;
    if own.described.is_none() {
        // From its own number to the next root bus, within the described range around it.
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
        let reserved = first + usize::from(other.tree.reserved_buses(ROOT));
        taken[first..=reserved.min(255)].fill(true);
        for range in other.tree.ranges() {
            taken[usize::from(*range.start())..=usize::from(*range.end())].fill(true);
        }
    }
    let mut gaps: Vec<Gap> = Vec::new();
    let first = u16::from(own.number) + 1 + own.tree.reserved_buses(ROOT);
    for number in first..=u16::from(last) {
        if taken[usize::from(number)] {
            continue;
        }
        let number = number as u8;
        if !gaps.last_mut().is_some_and(|gap| gap.append(number)) {
            gaps.push(Gap::new(number));
        }
    }
    gaps
}

/// The place of findings about a root bus: its first function.
pub(crate) fn root_address(segment: u16, bus: u8) -> PciAddress {
    PciAddress { segment, bus, devfn: DeviceFunction::from_bits(0) }
}

fn slot(segment: u16, bus: u8, device: u8) -> PciAddress {
    PciAddress { segment, bus, devfn: DeviceFunction::from_bits(device << 3) }
}
