//! Single root I/O virtualisation: physical functions, and the virtual functions that they can be told to have.
//!
//! A virtual function has a requester ID and config space of its own, and no vendor ID there: a scan never finds
//! it. Its ID follows from its physical function's, which may lie on a later bus that no bridge leads to. Those
//! numbers are left free when buses are numbered, whether or not virtual functions are switched on later.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range, RequesterId};

use crate::config::access::{ConfigAccess, register};
use crate::findings::Reports;
use crate::function::{Function, FunctionKind, SubsystemId};
use crate::read::bar::{Bar, BarRegister};
use crate::read::capability::{self, id};
use crate::read::scan::Seen;
use crate::rules::acs;
use crate::rules::alias::AliasMask;
use crate::rules::quirks;
use crate::topology::{Bus, BusIndex, FunctionIndex, Topology};

/// Registers of the SR-IOV capability (PCIe 5.0, section 9.3.3), from its beginning.
mod offset {
    pub(super) const CAPABILITIES: u16 = 0x04;
    pub(super) const CONTROL: u16 = 0x08;
    pub(super) const INITIAL: u16 = 0x0c;
    pub(super) const TOTAL: u16 = 0x0e;
    pub(super) const NUMBER: u16 = 0x10;
    pub(super) const DEPENDENCY: u16 = 0x12;
    pub(super) const FIRST: u16 = 0x14;
    pub(super) const STRIDE: u16 = 0x16;
    pub(super) const DEVICE_ID: u16 = 0x1a;
    pub(super) const SUPPORTED_PAGES: u16 = 0x1c;
    pub(super) const PAGE_SIZE: u16 = 0x20;
    pub(super) const FIRST_BAR: u16 = 0x24;
    /// The sixth BAR's.
    pub(super) const LAST: u16 = 0x38;
}

/// Bits of the control register: virtual functions exist, they answer in memory space, and functions of the
/// device are numbered by ARI.
const VF_ENABLE: u16 = 1 << 0;
const VF_MEMORY: u16 = 1 << 3;
const ARI_HIERARCHY: u16 = 1 << 4;
/// Bit of the capabilities register: fewer virtual functions than TotalVFs may be there at first.
const VF_MIGRATION: u32 = 1 << 0;

/// What a physical function offers, and how much of it is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sriov {
    /// Where its extended capability begins.
    pub offset: u16,
    /// How many virtual functions it can have.
    pub total: u16,
    /// How many it has.
    pub enabled: u16,
    /// Their device ID; the vendor is that of the physical function.
    pub device: u16,
    /// The highest bus number of a virtual function, whatever their number; beyond 255 if there is no such bus.
    pub(crate) last_bus: u16,
}

impl Sriov {
    /// Where the BARs of virtual functions begin in config space.
    pub(crate) fn first_bar(self) -> u16 {
        self.offset + offset::FIRST_BAR
    }
}

/// Puts the SR-IOV capability of `function` into the state in which nothing is switched on, and reads it.
///
/// `first` if no function before it on its bus has one: it alone decides about ARI. Linux: `sriov_init`,
/// `compute_max_vf_buses`.
pub(crate) fn init(
    config: &mut dyn ConfigAccess,
    function: &Seen,
    first: bool,
    forwards_ari: bool,
    reports: &mut Reports,
) -> Option<Sriov> {
    if function.kind == FunctionKind::Conventional {
        return None;
    }
    let offset = function.extended_capability(id::SRIOV)?;
    capability::in_extended_space(offset.checked_add(offset::LAST)?)?;
    let at = function.address;
    let control = if first && forwards_ari { ARI_HIERARCHY } else { 0 };
    config.write16(at, offset + offset::CONTROL, control);
    let total = config.read16(at, offset + offset::TOTAL);
    if total == 0 {
        return None;
    }
    // The smallest page size that it can; 4 KiB is bit 0 (PCIe 5.0, section 9.3.3.12).
    let pages = config.read32(at, offset + offset::SUPPORTED_PAGES);
    config.write32(at, offset + offset::PAGE_SIZE, pages & pages.wrapping_neg());
    let mut sriov = Sriov {
        offset,
        total,
        enabled: 0,
        device: config.read16(at, offset + offset::DEVICE_ID),
        last_bus: u16::from(at.bus),
    };
    let mut malformed = pages == 0;
    for number in (1..=total).rev() {
        config.write16(at, offset + offset::NUMBER, number);
        let Some(ids) = Ids::read(config, at, offset, number) else {
            malformed = true;
            break;
        };
        sriov.last_bus = sriov.last_bus.max((ids.of(number - 1) >> 8) as u16);
    }
    config.write16(at, offset + offset::NUMBER, 0);
    if malformed {
        reports.sriov_malformed(at);
        return None;
    }
    Some(sriov)
}

/// The requester IDs of virtual functions, before they are cut down to 16 bits.
struct Ids {
    first: u32,
    stride: u32,
}

impl Ids {
    /// With NumVFs at `number`; none if they would not all differ from the physical function's and each other.
    fn read(config: &dyn ConfigAccess, at: PciAddress, capability: u16, number: u16) -> Option<Self> {
        let first = config.read16(at, capability + offset::FIRST);
        let stride = config.read16(at, capability + offset::STRIDE);
        let valid = first != 0 && (number == 1 || stride != 0);
        let RequesterId(own) = at.requester_id();
        valid.then(|| Self { first: u32::from(own) + u32::from(first), stride: stride.into() })
    }

    fn of(&self, number: u16) -> u32 {
        self.first + self.stride * u32::from(number)
    }
}

/// How many bus numbers after that of the bus stay free for virtual functions (Linux: `pci_iov_bus_range`).
pub(crate) fn reserved_buses(bus: u8, functions: &[Seen]) -> u16 {
    let last = functions.iter().filter_map(|function| Some(function.sriov?.last_bus)).max();
    last.map_or(0, |last| last - u16::from(bus))
}

/// Why a physical function gets no virtual functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it can have {0}")]
    TooMany(u16),
    #[error("InitialVFs is {initial} and TotalVFs {total}")]
    Initial { initial: u16, total: u16 },
    #[error("function {0} of its bus, on which it depends, has no SR-IOV capability")]
    Dependency(u8),
    #[error("the last one would be on bus {bus:#x}, and its bus numbers end at {last:#04x}")]
    Bus { bus: u32, last: u8 },
    #[error("First VF Offset or VF Stride is 0")]
    Ids,
    #[error("{0} has no address")]
    Address(BarRegister),
}

/// Gives every physical function `number` virtual functions, which come last in the topology.
///
/// One that cannot have so many gets none, which is a finding. Linux: a write to `sriov_numvfs`. The virtual
/// functions are used at once, as QEMU allows; hardware may take 100 ms (PCIe 5.0, section 9.3.3.3.1).
pub(crate) fn enable(
    config: &mut dyn ConfigAccess,
    topology: &mut Topology,
    last_bus_of_root: &dyn Fn(usize) -> u8,
    number: u16,
    reports: &mut Reports,
) {
    for index in 0..topology.functions.len() {
        let physical = FunctionIndex(index as u32);
        let Some(sriov) = topology[physical].sriov else { continue };
        match switch_on(config, topology, physical, sriov, last_bus_of_root, number) {
            Ok(ids) => {
                topology.functions[index].sriov = Some(Sriov { enabled: number, ..sriov });
                for function in 0..number {
                    add(config, topology, physical, (function, ids.of(function) as u16), reports);
                }
            }
            Err(refusal) => reports.no_virtual_functions(topology[physical].address, number, refusal),
        }
    }
}

/// Linux: `sriov_enable`.
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
    if let Some(bar) = function.virtual_bars.iter().find(|bar| bar.bus_address.is_none()) {
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

/// Whether the function that `function` depends on is a physical function as well.
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
    reports: &mut Reports,
) {
    let id = RequesterId(id);
    let parent = &topology[physical];
    let address = PciAddress { segment: parent.address.segment, bus: id.bus(), devfn: id.devfn() };
    let bus = bus_with(topology, parent.bus, id.bus());
    if topology.on_bus(&topology.buses[bus.0 as usize], id.devfn()).is_some() {
        reports.virtual_function_occupied(address, topology[physical].address);
        return;
    }
    let (capabilities, kind) = capability::read_list(config, address, reports);
    let extended_capabilities = capability::read_extended_list(config, address, reports);
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
        // Linux sets it to false, whatever the header says: a virtual function isolates by what it is.
        multifunction: false,
        multifunction_by_header: false,
        kind,
        impossible_port: false,
        subsystem: Some(SubsystemId { vendor: ids as u16, device: (ids >> 16) as u16 }),
        bars: parent.virtual_bars.iter().filter_map(|bar| bar_of(bar, number)).collect(),
        rom: None,
        virtual_bars: Vec::new(),
        capabilities,
        extended_capabilities,
        acs: None,
        sriov: None,
        aliases: AliasMask::default(),
        ..parent.clone()
    };
    function.acs = acs::find(config, &function);
    let index = FunctionIndex(topology.functions.len() as u32);
    topology.functions.push(function);
    let members = &topology.buses[bus.0 as usize].functions;
    let place = members.partition_point(|member| topology[*member].address.devfn < address.devfn);
    topology.buses[bus.0 as usize].functions.insert(place, index);
}

/// The BAR of virtual function `function` in that of all of them.
fn bar_of(all: &Bar, function: u16) -> Option<Bar> {
    let BarRegister::Virtual { number, .. } = all.register else { return None };
    let offset = all.size * u64::from(function);
    let cpu = all.cpu.and_then(|cpu| Range::from_size(PhysAddr(cpu.start().0 + offset), all.size));
    let bus_address = all.bus_address.map(|address| address + offset);
    Some(Bar { register: BarRegister::Bar(number), count: 1, bus_address, cpu, ..*all })
}

/// The bus `number` for virtual functions of bus `from`: that bus, or one after it, which no bridge leads to
/// (Linux: `virtfn_add_bus`).
fn bus_with(topology: &mut Topology, from: BusIndex, number: u8) -> BusIndex {
    let Bus { segment, root, .. } = topology.buses[from.0 as usize];
    let known = topology.buses.iter().position(|bus| (bus.segment, bus.number) == (segment, number));
    let index = known.unwrap_or_else(|| {
        topology.buses.push(Bus {
            segment,
            number,
            root,
            bridge: None,
            parent: Some(from),
            functions: Vec::new(),
            has_aliases: false,
        });
        topology.buses.len() - 1
    });
    BusIndex(index as u32)
}
