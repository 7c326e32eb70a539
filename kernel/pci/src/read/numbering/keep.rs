//! Keeping the bus numbers that firmware left in the bridges, if they form a tree.

use alloc::vec::Vec;

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::function::bridge::BusNumbers;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::read::numbering::tree::{Above, ROOT, Tree};

/// A bridge whose numbers contradict those of other bridges.
pub(crate) struct Contradiction {
    pub(crate) bridge: PciAddress,
    pub(crate) register: u32,
}

/// A bus whose bridges are being followed.
struct Frame {
    bus: BusIndex,
    /// The bridges that are still to be followed, the first one last.
    bridges: Vec<FunctionIndex>,
    /// The highest number that a bridge on this bus may use.
    last: u8,
    /// A bit for each number that these bridges use.
    claimed: [u64; 4],
}

impl Frame {
    fn new(tree: &Tree, bus: BusIndex, last: u8) -> Self {
        let mut bridges = tree.bridges_on(bus);
        bridges.reverse();
        Self { bus, bridges, last, claimed: [0; 4] }
    }
}

/// Scans the buses behind a root bus by the numbers that firmware left; `last` is the last number of its range.
///
/// # Errors
///
/// The first bridge whose numbers do not fit; the buses up to there are in the tree.
pub(crate) fn follow(
    config: &mut dyn ConfigAccess,
    tree: &mut Tree,
    last: u8,
    findings: &mut Findings,
) -> Result<(), Contradiction> {
    let mut path = Vec::from([Frame::new(tree, ROOT, last)]);
    let mut parked = Vec::new();
    while let Some(frame) = path.last_mut() {
        let Some(index) = frame.bridges.pop() else {
            path.pop();
            continue;
        };
        let number = tree[frame.bus].number;
        let address = tree[index].address;
        let Some(bridge) = tree[index].bridge_mut() else { continue };
        let register = bridge.register;
        if is_parked(register) {
            parked.push((address, register));
            continue;
        }
        let Some(buses) = consistent(register, number, frame) else {
            return Err(Contradiction { bridge: address, register });
        };
        bridge.buses = Some(buses);
        let above = Above { bridge: index, bus: frame.bus };
        let bus = tree.add_bus(config, address.segment, buses.secondary, Some(above), findings);
        path.push(Frame::new(tree, bus, buses.subordinate));
    }
    // A bridge may be without numbers only if none is left.
    let is_free = |number: u8| !tree.ranges().any(|range| range.contains(&number));
    let first = tree[ROOT].number;
    if let Some((bridge, register)) = parked.first().copied()
        && (first..=last).skip(1).any(is_free)
    {
        return Err(Contradiction { bridge, register });
    }
    for (bridge, _) in parked {
        findings.buses_exhausted(bridge, last);
    }
    Ok(())
}

/// Whether a bridge with these numbers forwards nothing, and does not look as if it led to bus 0.
fn is_parked(register: u32) -> bool {
    let [_, secondary, subordinate, _] = register.to_le_bytes();
    subordinate < secondary
}

/// The numbers in `register`, if a bridge on bus `bus` can have them beside those of its neighbours.
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
