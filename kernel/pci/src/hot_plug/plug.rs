//! Adding what was put into a slot.

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::function::capability::id;
use crate::function::index::FunctionIndex;
use crate::place::assign::place_new;
use crate::policy::{EnumerationPolicy, Quirks};
use crate::read::function::read_tree;
use crate::read::numbering::assign::number_root;
use crate::read::numbering::gap::Gap;
use crate::read::numbering::tree::{ROOT, Tree};
use crate::read::scanned::BridgeAbove;
use crate::rules::quirks;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// Appends the functions behind a port whose bus is empty, and gives them addresses; no other BAR moves.
///
/// `roots` and `quirks` are those of the enumeration. Bridges get bus numbers of the port's own range; one without a
/// number, and a BAR without room, is a finding. ACS is not enabled yet.
pub fn plug(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    port: FunctionIndex,
    quirks: &Quirks,
) -> Vec<FunctionIndex> {
    let function = &topology[port];
    let (address, kind) = (function.address, function.kind);
    let express = function.capability(id::PCIE);
    let bridge = function.bridge.as_ref().and_then(|bridge| Some((bridge.bus?, bridge.buses?)));
    let Some((bus, numbers)) = bridge.filter(|(bus, _)| topology[*bus].functions.is_empty()) else {
        return Vec::new();
    };
    let (root, first) = (topology[bus].root, topology.functions().len());
    let mut findings = core::mem::take(topology.findings_mut());
    let above = BridgeAbove { address, kind, express };
    let mut tree = Tree::behind(config, above, numbers.secondary, &mut findings);
    tree.close_bridges(config, ROOT);
    number_root(config, &mut tree, Vec::from([Gap::below(numbers)]), &mut findings);
    let policy = EnumerationPolicy::default();
    read_tree(config, (root, Some(bus)), tree, &policy, topology, &mut findings);
    quirks::apply(quirks, topology);
    place_new(config, roots, topology, first, &mut findings);
    *topology.findings_mut() = findings;
    (first..topology.functions().len()).map(FunctionIndex::new).collect()
}
