//! Reading functions once their buses have numbers.

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::function::alias_mask::AliasMask;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::function::{Function, SubsystemId};
use crate::policy::{EnumerationPolicy, Resources};
use crate::read::numbering::Numbered;
use crate::read::numbering::tree::Tree;
use crate::read::scanned::{Header, ScannedFunction};
use crate::read::{acs, bar, bridge};
use crate::topology::Topology;
use crate::topology::bus::Bus;

/// Base class and sub-class of a PCI-to-PCI bridge.
const PCI_BRIDGE: u32 = 0x0604;

/// Reads every function of every described root bus.
pub(crate) fn functions(
    config: &mut dyn ConfigAccess,
    numbered: Numbered,
    policy: &EnumerationPolicy,
    findings: &mut Findings,
) -> Topology {
    let mut topology = Topology::new(numbered.hidden);
    for (root, tree) in numbered.trees {
        read_tree(config, (root, None), tree, policy, &mut topology, findings);
    }
    topology
}

/// Appends a tree: all functions behind a root bus, or behind the bus `top` that is there already.
pub(crate) fn read_tree(
    config: &mut dyn ConfigAccess,
    (root, top): (usize, Option<BusIndex>),
    tree: Tree,
    policy: &EnumerationPolicy,
    topology: &mut Topology,
    findings: &mut Findings,
) {
    let (first_bus, first_function) = (topology.buses().len(), topology.functions().len());
    let in_topology = |bus: BusIndex| match (top, bus.place()) {
        (None, _) => bus.after(first_bus),
        (Some(top), 0) => top,
        (Some(_), place) => BusIndex::new(first_bus + place - 1),
    };
    let (buses, functions) = tree.into_parts();
    let mut functions = functions.into_iter();
    for bus in buses {
        let mut bridge = bus.above.map(|above| above.bridge.after(first_function));
        let index = match top.filter(|_| bridge.is_none()) {
            Some(top) => {
                bridge = topology[top].bridge;
                top
            }
            None => topology.add_bus(Bus {
                segment: bus.segment,
                number: bus.number,
                root,
                bridge,
                parent: bus.above.map(|above| in_topology(above.bus)),
                functions: Vec::new(),
                has_aliases: false,
            }),
        };
        for scanned in functions.by_ref().take(bus.len()) {
            let function = read_function(config, scanned, (index, bridge), policy, findings);
            topology.add_function(function);
        }
    }
}

fn read_function(
    config: &mut dyn ConfigAccess,
    scanned: ScannedFunction,
    (bus, parent): (BusIndex, Option<FunctionIndex>),
    policy: &EnumerationPolicy,
    findings: &mut Findings,
) -> Function {
    let resources = policy.resources;
    let ScannedFunction {
        address,
        vendor,
        device,
        class_revision,
        header,
        multifunction,
        multifunction_by_header,
        kind,
        impossible_port,
        capabilities,
        extended_capabilities,
        sriov,
    } = scanned;
    let (class, revision) = (class_revision >> 8, class_revision as u8);
    let header_type = header.number();
    if (class >> 8 == PCI_BRIDGE) != (header_type == 1) && header_type != 2 {
        findings.class_without_header(address, class, header_type);
    }
    let (bar_count, rom_register) = match header {
        Header::Normal => (6, Some(register::ROM)),
        Header::Bridge(_) => (2, Some(register::BRIDGE_ROM)),
        Header::Cardbus => (0, None),
    };
    let subsystem = matches!(header, Header::Normal).then(|| {
        let ids = config.read32(address, register::SUBSYSTEM);
        SubsystemId { vendor: ids as u16, device: (ids >> 16) as u16 }
    });
    let bridge = match header {
        Header::Bridge(scanned) => Some(bridge::read(config, address, scanned.buses, resources)),
        Header::Normal => None,
        Header::Cardbus => {
            findings.cardbus(address);
            None
        }
    };
    let mut bars = bar::measure_all(config, address, bar_count, rom_register, findings);
    if resources == Resources::Assign {
        bars.iter_mut().for_each(|bar| bar.bus_address = None);
    }
    if let Some(sriov) = sriov
        && policy.virtual_functions > 0
    {
        bars.extend(bar::measure_virtual(config, address, sriov.first_bar(), sriov.total, findings));
    }
    let mut function = Function {
        address,
        bus,
        parent,
        vendor,
        device,
        revision,
        class,
        header_type,
        multifunction,
        multifunction_by_header,
        kind,
        impossible_port,
        subsystem,
        all_bars: bars,
        capabilities,
        extended_capabilities,
        acs: None,
        sriov,
        physical: None,
        bridge,
        aliases: AliasMask::default(),
        external_facing: false,
        untrusted: false,
        keeps_requester_ids: false,
        hides_pcie: false,
    };
    function.acs = acs::find(config, &function);
    function
}
