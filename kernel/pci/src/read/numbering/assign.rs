//! Assigning bus numbers to all bridges behind one root bus.
//!
//! A bridge is opened for one new bus, that bus is scanned, and all bridges on it are numbered before the next
//! bridge. Numbers ascend on the way, and each bridge ends with exactly the range that is behind it.

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::function::bridge::BusNumbers;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::read::numbering::gap::Gap;
use crate::read::numbering::tree::{Above, ROOT, Tree};

/// Numbers all bridges of a root bus and everything behind them.
///
/// The buses behind one bridge need consecutive numbers, so each bridge on the root bus uses the first gap that is
/// large enough for all buses behind it, or else the largest gap.
pub(crate) fn number_root(
    config: &mut dyn ConfigAccess,
    tree: &mut Tree,
    mut gaps: Vec<Gap>,
    findings: &mut Findings,
) {
    let number = tree[ROOT].number;
    for bridge in tree.bridges_on(ROOT) {
        let usable: Vec<usize> = (0..gaps.len()).filter(|gap| gaps[*gap].room() > 0).collect();
        let largest = usable.iter().copied().max_by_key(|gap| (gaps[*gap].room(), usize::MAX - gap));
        let Some(largest) = largest else {
            findings.buses_exhausted(tree[bridge].address, gaps.last().map_or(number, |gap| gap.end()));
            continue;
        };
        let mut is_numbered = false;
        // With a single gap there is no choice, and no need to scan twice.
        for gap in usable.iter().copied().filter(|_| usable.len() > 1) {
            let (mark, buses, before) = (findings.mark(), tree.buses().len(), gaps[gap]);
            if number_below(config, tree, bridge, &mut gaps[gap], findings) {
                is_numbered = true;
                break;
            }
            gaps[gap] = before;
            tree.close(config, bridge);
            tree.truncate(buses);
            findings.roll_back(mark);
        }
        if !is_numbered {
            number_below(config, tree, bridge, &mut gaps[largest], findings);
        }
    }
}

/// Assigns numbers of `gap` to the bus behind `bridge`, which is on the root bus, and to all buses below. False if
/// `gap` was too small; each bridge without a number is a finding then, and stays closed.
fn number_below(
    config: &mut dyn ConfigAccess,
    tree: &mut Tree,
    bridge: FunctionIndex,
    gap: &mut Gap,
    findings: &mut Findings,
) -> bool {
    let mut complete = true;
    // The buses from the root bus down to the current one, each with its bridges that are still to be opened, the
    // first one last. Numbers ascend on the way, so there are at most 255.
    let mut path: Vec<(BusIndex, Vec<FunctionIndex>)> = Vec::new();
    let mut from = (ROOT, bridge);
    loop {
        match open(config, tree, from, gap, findings) {
            Some(bus) => {
                let mut bridges = tree.bridges_on(bus);
                bridges.reverse();
                path.push((bus, bridges));
            }
            None => complete = false,
        }
        from = loop {
            let Some((bus, bridges)) = path.last_mut() else { return complete };
            let bus = *bus;
            if let Some(bridge) = bridges.pop() {
                break (bus, bridge);
            }
            narrow(config, tree, bus, gap);
            path.pop();
        };
    }
}

/// Opens a bridge for one new bus and all buses that may be below it, and scans the new bus.
fn open(
    config: &mut dyn ConfigAccess,
    tree: &mut Tree,
    (on, bridge): (BusIndex, FunctionIndex),
    gap: &mut Gap,
    findings: &mut Findings,
) -> Option<BusIndex> {
    let Some(secondary) = gap.take() else {
        findings.buses_exhausted(tree[bridge].address, gap.end());
        return None;
    };
    let (segment, primary) = (tree[on].segment, tree[on].number);
    tree.write_numbers(config, bridge, primary, Some(BusNumbers { secondary, subordinate: gap.end() }));
    let bus = tree.add_bus(config, segment, secondary, Some(Above { bridge, bus: on }), findings);
    gap.skip(tree.reserved_buses(bus));
    tree.close_bridges(config, bus);
    Some(bus)
}

/// Narrows the range of the bridge to `bus` to the buses that were found behind it.
fn narrow(config: &mut dyn ConfigAccess, tree: &mut Tree, bus: BusIndex, gap: &Gap) {
    let Some(above) = tree[bus].above else { return };
    let (primary, secondary) = (tree[above.bus].number, tree[bus].number);
    let subordinate = gap.taken_up_to();
    tree.write_numbers(config, above.bridge, primary, Some(BusNumbers { secondary, subordinate }));
}
