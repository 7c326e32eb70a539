//! The steps from host bridges to a topology.

mod virtual_functions;

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::place::assign::assign;
use crate::policy::EnumerationPolicy;
use crate::read::function::functions;
use crate::read::numbering::number_all;
use crate::rules::quirks;
use crate::slot::Slot;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// Enumerates a machine on which no firmware ran: assigns all bus numbers and addresses.
///
/// The topology keeps the order of `roots`, which is firmware's.
pub fn enumerate(config: &mut dyn ConfigAccess, roots: &[RootBus]) -> Topology {
    enumerate_with(config, roots, &EnumerationPolicy::default())
}

/// Enumerates a machine by a policy.
pub fn enumerate_with(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    policy: &EnumerationPolicy,
) -> Topology {
    let mut findings = Findings::default();
    let numbered = number_all(config, roots, policy.numbering, &mut findings);
    let mut topology = functions(config, numbered, policy, &mut findings);
    quirks::apply(&policy.quirks, &mut topology);
    let mut with_room = Vec::new();
    if policy.room_for_hot_plug {
        with_room.extend(Slot::all(config, &topology).iter().map(Slot::port));
    }
    assign(config, roots, &mut topology, (policy.resources, &with_room), &mut findings);
    if policy.virtual_functions > 0 {
        let last_bus = |root: usize| roots[root].last_bus;
        virtual_functions::enable(config, &mut topology, &last_bus, policy.virtual_functions, &mut findings);
    }
    topology.with_findings(findings)
}
