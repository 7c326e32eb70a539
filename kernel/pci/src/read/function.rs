//! From numbered buses to described functions.

use alloc::vec::Vec;

use crate::config::access::{ConfigAccess, register};
use crate::enumerate::{Policy, Resources};
use crate::findings::Reports;
use crate::function::bridge;
use crate::function::{Function, SubsystemId};
use crate::read::bar;
use crate::read::number::Numbered;
use crate::read::scan::{Header, Seen};
use crate::read::tree::Tree;
use crate::rules::acs;
use crate::rules::alias::AliasMask;
use crate::topology::{Bus, BusIndex, FunctionIndex, Topology};

/// Base class and sub-class of a PCI-to-PCI bridge.
const PCI_BRIDGE: u32 = 0x0604;

/// Reads every function of every described root bus.
pub(crate) fn functions(
    config: &mut dyn ConfigAccess,
    numbered: Numbered,
    policy: &Policy,
    reports: &mut Reports,
) -> Topology {
    let mut topology = Topology { hidden: numbered.hidden, ..Topology::default() };
    for (root, tree) in numbered.trees {
        read_tree(config, root, tree, policy, &mut topology, reports);
    }
    topology
}

fn read_tree(
    config: &mut dyn ConfigAccess,
    root: usize,
    tree: Tree,
    policy: &Policy,
    topology: &mut Topology,
    reports: &mut Reports,
) {
    let (first_bus, first_function) = (topology.buses.len(), topology.functions.len());
    let mut seen = tree.seen.into_iter();
    for bus in tree.buses {
        let index = BusIndex(topology.buses.len() as u32);
        let bridge = bus.above.map(|above| FunctionIndex((first_function + above.bridge) as u32));
        let parent = bus.above.map(|above| BusIndex((first_bus + above.bus) as u32));
        let parent_kind = bridge.map(|bridge| topology[bridge].kind);
        let start = topology.functions.len();
        for seen in seen.by_ref().take(bus.seen.len()) {
            let mut function = read_function(config, seen, index, bridge, policy, reports);
            policy.quirks.apply(&mut function, parent_kind);
            topology.functions.push(function);
        }
        let here = &topology.functions[start..];
        let mut members: Vec<FunctionIndex> =
            (start..topology.functions.len()).map(|index| FunctionIndex(index as u32)).collect();
        members.sort_by_key(|index| topology[*index].address.devfn);
        topology.buses.push(Bus {
            segment: bus.segment,
            number: bus.number,
            root,
            bridge,
            parent,
            has_aliases: here.iter().any(|function| !function.aliases.is_empty()),
            functions: members,
        });
    }
}

fn read_function(
    config: &mut dyn ConfigAccess,
    seen: Seen,
    bus: BusIndex,
    parent: Option<FunctionIndex>,
    policy: &Policy,
    reports: &mut Reports,
) -> Function {
    let resources = policy.resources;
    let Seen {
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
    } = seen;
    let (class, revision) = (class_revision >> 8, class_revision as u8);
    let header_type = header.number();
    if (class >> 8 == PCI_BRIDGE) != (header_type == 1) && header_type != 2 {
        reports.class_without_header(address, class, header_type);
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
        Header::Bridge(seen) => Some(bridge::read(config, address, seen.buses, resources)),
        Header::Normal => None,
        Header::Cardbus => {
            reports.cardbus(address);
            None
        }
    };
    let mut bars = bar::measure_all(config, address, bar_count, rom_register, reports);
    if resources == Resources::Assign {
        bars.iter_mut().for_each(|bar| bar.bus_address = None);
    }
    let virtual_bars = match sriov {
        Some(sriov) if policy.virtual_functions > 0 => {
            bar::measure_virtual(config, address, sriov.first_bar(), sriov.total, reports)
        }
        _ => Vec::new(),
    };
    let rom = bars.pop_if(|bar| bar.register == bar::BarRegister::Rom);
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
        bars,
        rom,
        capabilities,
        extended_capabilities,
        acs: None,
        sriov,
        virtual_bars,
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
