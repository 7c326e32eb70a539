//! Bridges without a bus number ("parked" bridges).
//!
//! If no bus number is left, a bridge forwards nothing. But its register contains 0 after reset, and an IOMMU that
//! finds a bus by the number in its bridge may confuse the bus behind it with bus 0, and then does not know any
//! function of bus 0 (QEMU 7.2 and 10.0: `iommu_find_iommu_pcibus`). So each such bridge gets the number of a bus
//! without functions, and an empty range. This includes bridges behind it, which can be reached only while it has a
//! number temporarily.

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::read::numbering::gap::Gap;
use crate::read::numbering::tree::Tree;
use crate::read::scan::scan_bus;
use crate::read::scanned::ScannedFunction;

/// The maximum number of bridges behind one root bus that are parked; at most 255 can have numbers at the same time.
const MAX_VISITS: usize = 1024;

/// The highest number that no bus in `trees` has; if all are in use, that of a bus without functions.
pub(crate) fn number<'t>(trees: impl Iterator<Item = &'t Tree>) -> u8 {
    let (mut taken, mut inhabited) = ([false; 256], [false; 256]);
    for bus in trees.flat_map(|tree| tree.buses()) {
        taken[usize::from(bus.number)] = true;
        inhabited[usize::from(bus.number)] |= !bus.is_empty();
    }
    let last_without = |set: &[bool; 256]| (0..=u8::MAX).rev().find(|number| !set[usize::from(*number)]);
    last_without(&taken).or_else(|| last_without(&inhabited)).unwrap_or(u8::MAX)
}

/// Parks every closed bridge of `tree`.
pub(crate) fn park_closed(config: &mut dyn ConfigAccess, tree: &Tree, parking: u8) {
    for bridge in tree.closed() {
        park(config, bridge, parking);
    }
}

/// Parks all bridges behind a root bus, of which only the root bus itself is in `tree`. They get numbers of `gap`
/// temporarily; as many levels are reached as there are numbers.
pub(crate) fn park_all_below(config: &mut dyn ConfigAccess, tree: &Tree, gap: Gap, parking: u8) {
    let bridges_in = |scanned: &[ScannedFunction]| -> Vec<ScannedFunction> {
        scanned.iter().filter(|scanned| scanned.bridge().is_some()).rev().cloned().collect()
    };
    // For each bus on the way down: its bridges that are still to be visited, and the one that is open.
    let mut path: Vec<(Vec<ScannedFunction>, Option<ScannedFunction>)> =
        Vec::from([(bridges_in(tree.functions()), None)]);
    let mut visits = 0;
    while let Some((bridges, open)) = path.last_mut() {
        if let Some(done) = open.take() {
            park(config, &done, parking);
        }
        let Some(bridge) = bridges.pop().filter(|_| visits < MAX_VISITS) else {
            path.pop();
            continue;
        };
        visits += 1;
        *open = Some(bridge.clone());
        let Some(number) = gap.nth(path.len() - 1) else { continue };
        write(config, &bridge, number, gap.end());
        let mut scanned = Vec::new();
        // Findings about this bus are reported when it gets its final number.
        let above = Some(bridge.as_bridge_above());
        scan_bus(config, (bridge.address.segment, number), above, &mut Findings::default(), &mut scanned);
        let below = bridges_in(&scanned);
        below.iter().for_each(|bridge| park(config, bridge, parking));
        path.push((below, None));
    }
}

fn park(config: &mut dyn ConfigAccess, bridge: &ScannedFunction, parking: u8) {
    write(config, bridge, parking, 0);
}

fn write(config: &mut dyn ConfigAccess, bridge: &ScannedFunction, secondary: u8, subordinate: u8) {
    let address = bridge.address;
    let latency_timer = bridge.bridge().map_or(0, |bridge| bridge.register & 0xff00_0000);
    let numbers = u32::from(subordinate) << 16 | u32::from(secondary) << 8 | u32::from(address.bus);
    config.write32(address, register::BUS_NUMBERS, latency_timer | numbers);
}
