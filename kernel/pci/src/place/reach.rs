//! Which kinds of addresses the bridges above a bus let through.

use alloc::vec::Vec;

use crate::function::bridge::BridgeInfo;
use crate::function::index::BusIndex;
use crate::place::pool::Pools;
use crate::topology::Topology;
use crate::topology::bus::Bus;

/// The kinds of addresses that all bridges between a bus and the root forward.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    pub(crate) io: bool,
    pub(crate) high: bool,
}

/// The kinds of addresses that reach each bus, by bus.
pub(crate) fn of_buses(topology: &Topology, pools: &[Pools]) -> Vec<Reach> {
    let mut reaches: Vec<Reach> = Vec::with_capacity(topology.buses().len());
    for bus in topology.buses() {
        let pools = &pools[bus.root];
        let reach = match bridge_to(topology, bus) {
            None => Reach { io: pools.has_io(), high: pools.has_high() },
            Some((parent, bridge)) => {
                let above = reaches[parent.place()];
                Reach { io: above.io && bridge.has_io, high: above.high && bridge.wide_prefetch }
            }
        };
        reaches.push(reach);
    }
    reaches
}

/// The bus above and the bridge that lead to `bus`.
fn bridge_to<'t>(topology: &'t Topology, bus: &Bus) -> Option<(BusIndex, &'t BridgeInfo)> {
    let bridge = topology[bus.bridge?].bridge.as_ref()?;
    Some((bus.parent?, bridge))
}
