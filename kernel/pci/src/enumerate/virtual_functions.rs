//! Enabling virtual functions.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range, RequesterId};

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::function::alias_mask::AliasMask;
use crate::function::bar::{Bar, BarRegister};
use crate::function::index::{BusIndex, FunctionIndex};
use crate::function::kind::FunctionKind;
use crate::function::sriov::{Refusal, Sriov};
use crate::function::{Function, SubsystemId};
use crate::read::sriov::{Ids, VF_ENABLE, VF_MEMORY, offset};
use crate::read::{acs, capability};
use crate::rules::quirks;
use crate::topology::Topology;
use crate::topology::bus::Bus;

/// Bit of the capabilities register: InitialVFs may be less than TotalVFs.
const VF_MIGRATION: u32 = 1 << 0;

/// Enables `number` virtual functions of every physical function; they come last in the topology.
///
/// A physical function that cannot have so many gets none, which is a finding. Linux: a write to `sriov_numvfs`. The
/// virtual functions are accessed immediately, as QEMU allows; hardware may need 100 ms (PCIe 5.0, section
/// 9.3.3.3.1).
pub(crate) fn enable(
    config: &mut dyn ConfigAccess,
    topology: &mut Topology,
    last_bus_of_root: &dyn Fn(usize) -> u8,
    number: u16,
    findings: &mut Findings,
) {
    for physical in topology.indices() {
        let Some(sriov) = topology[physical].sriov else { continue };
        match switch_on(config, topology, physical, sriov, last_bus_of_root, number) {
            Ok(ids) => {
                topology.function_mut(physical).sriov = Some(Sriov { enabled: number, ..sriov });
                for function in 0..number {
                    add(config, topology, physical, (function, ids.of(function) as u16), findings);
                }
            }
            Err(refusal) => findings.no_virtual_functions(topology[physical].address, number, refusal),
        }
    }
}

/// Checks and enables one physical function. Linux: `sriov_enable`.
fn switch_on(
    config: &mut dyn ConfigAccess,
    topology: &Topology,
    physical: FunctionIndex,
    sriov: Sriov,
    last_bus_of_root: &dyn Fn(usize) -> u8,
    number: u16,
) -> Result<Ids, Refusal> {
    let function = &topology[physical];
    let (at, offset, total) = (function.address, sriov.offset, sriov.total);
    let most = quirks::virtual_functions(function).map_or(total, |most| most.min(total));
    if number > most {
        return Err(Refusal::TooMany(most));
    }
    let initial = config.read16(at, offset + offset::INITIAL);
    let migrates = config.read32(at, offset + offset::CAPABILITIES) & VF_MIGRATION != 0;
    if initial > total || !migrates && initial != total {
        return Err(Refusal::Initial { initial, total });
    }
    let is_for_them = |bar: &Bar| matches!(bar.register, BarRegister::Virtual { .. });
    if let Some(bar) = function.all_bars.iter().find(|bar| is_for_them(bar) && bar.bus_address.is_none()) {
        return Err(Refusal::Address(bar.register));
    }
    let bus = topology.bus_of(function);
    depends_on(config, topology, bus, function, offset)?;
    config.write16(at, offset + offset::NUMBER, number);
    let ids = Ids::read(config, at, offset, number).ok_or(Refusal::Ids);
    let ids = ids.and_then(|ids| {
        let behind = bus.bridge.and_then(|bridge| topology[bridge].bridge.as_ref()?.buses);
        let last = behind.map_or_else(|| last_bus_of_root(bus.root), |buses| buses.subordinate);
        let needed = ids.of(number - 1) >> 8;
        if needed > last.into() { Err(Refusal::Bus { bus: needed, last }) } else { Ok(ids) }
    });
    if ids.is_err() {
        config.write16(at, offset + offset::NUMBER, 0);
    } else {
        let control = config.read16(at, offset + offset::CONTROL);
        config.write16(at, offset + offset::CONTROL, control | VF_ENABLE | VF_MEMORY);
    }
    ids
}

/// Checks that the function on which `function` depends is a physical function as well.
fn depends_on(
    config: &dyn ConfigAccess,
    topology: &Topology,
    bus: &Bus,
    function: &Function,
    offset: u16,
) -> Result<(), Refusal> {
    let link = config.read8(function.address, offset + offset::DEPENDENCY);
    let own = function.address.devfn;
    let link = if function.kind == FunctionKind::RcEndpoint { own.bits() & !7 | link & 7 } else { link };
    if link == own.bits() {
        return Ok(());
    }
    let other = topology.on_bus(bus, addr::DeviceFunction::from_bits(link));
    let is_physical = other.is_some_and(|other| topology[other].sriov.is_some());
    if is_physical { Ok(()) } else { Err(Refusal::Dependency(link)) }
}

/// Adds virtual function `number`, with requester ID `id` (Linux: `pci_iov_add_virtfn`).
fn add(
    config: &mut dyn ConfigAccess,
    topology: &mut Topology,
    physical: FunctionIndex,
    (number, id): (u16, u16),
    findings: &mut Findings,
) {
    let id = RequesterId(id);
    let parent = &topology[physical];
    let address = PciAddress { segment: parent.address.segment, bus: id.bus(), devfn: id.devfn() };
    let bus = bus_with(topology, parent.bus, id.bus());
    if topology.on_bus(&topology[bus], id.devfn()).is_some() {
        findings.virtual_function_occupied(address, topology[physical].address);
        return;
    }
    let (capabilities, kind) = capability::read_list(config, address, findings);
    let extended_capabilities = capability::read_extended_list(config, address, findings);
    let class_revision = config.read32(address, register::CLASS_REVISION);
    let ids = config.read32(address, register::SUBSYSTEM);
    let parent = &topology[physical];
    let mut function = Function {
        address,
        bus,
        physical: Some(physical),
        device: parent.sriov.map_or(parent.device, |sriov| sriov.device),
        revision: class_revision as u8,
        class: class_revision >> 8,
        // Linux sets it to false, whatever the header contains: whether a virtual function isolates depends on its
        // kind.
        multifunction: false,
        multifunction_by_header: false,
        kind,
        impossible_port: false,
        subsystem: Some(SubsystemId { vendor: ids as u16, device: (ids >> 16) as u16 }),
        all_bars: parent.all_bars.iter().filter_map(|bar| bar_of(bar, number)).collect(),
        capabilities,
        extended_capabilities,
        acs: None,
        sriov: None,
        aliases: AliasMask::default(),
        ..parent.clone()
    };
    function.acs = acs::find(config, &function);
    topology.add_function(function);
}

/// The BAR of virtual function `function`, as a part of the BAR of all virtual functions.
fn bar_of(all: &Bar, function: u16) -> Option<Bar> {
    let BarRegister::Virtual { number, .. } = all.register else { return None };
    let offset = all.size * u64::from(function);
    let cpu = all.cpu.and_then(|cpu| Range::from_size(PhysAddr(cpu.start().0 + offset), all.size));
    let bus_address = all.bus_address.map(|address| address + offset);
    Some(Bar { register: BarRegister::Bar(number), count: 1, bus_address, cpu, ..*all })
}

/// The bus with number `number` for virtual functions of bus `from`: that bus itself, or a later one that no bridge
/// leads to (Linux: `virtfn_add_bus`).
fn bus_with(topology: &mut Topology, from: BusIndex, number: u8) -> BusIndex {
    let Bus { segment, root, .. } = topology[from];
    let known = topology.bus_indices().find(|bus| {
        let bus = &topology[*bus];
        (bus.segment, bus.number) == (segment, number)
    });
    known.unwrap_or_else(|| {
        topology.add_bus(Bus {
            segment,
            number,
            root,
            bridge: None,
            parent: Some(from),
            functions: Vec::new(),
            has_aliases: false,
        })
    })
}
