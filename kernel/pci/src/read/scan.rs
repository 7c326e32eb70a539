//! Which functions answer on one bus.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::config::access::{ConfigAccess, register};
use crate::findings::Reports;
use crate::function::FunctionKind;
use crate::function::bridge::BusNumbers;
use crate::read::ari;
use crate::read::capability::{self, Capability, ExtendedCapability, id};
use crate::read::sriov::{self, Sriov};

/// Base class and sub-class of a host bridge.
const HOST_BRIDGE: u32 = 0x0600;

/// A function that answers, with what has been read of it so far.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) address: PciAddress,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    /// Class in the upper 24 bits, revision in the lowest 8.
    pub(crate) class_revision: u32,
    pub(crate) header: Header,
    /// Bit 7 of its own header type, or a function above 0.
    pub(crate) multifunction: bool,
    pub(crate) multifunction_by_header: bool,
    pub(crate) kind: FunctionKind,
    /// Its PCIe type cannot be true where it is.
    pub(crate) impossible_port: bool,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) extended_capabilities: Vec<ExtendedCapability>,
    pub(crate) sriov: Option<Sriov>,
}

/// Header types that exist, with what numbering needs of each.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Normal,
    Bridge(SeenBridge),
    Cardbus,
}

/// What has to be known of a bridge before it is numbered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenBridge {
    /// The register with its bus numbers as found; the highest byte is the latency timer.
    pub(crate) register: u32,
    /// What it got, or keeps.
    pub(crate) buses: Option<BusNumbers>,
}

/// The bridge to a bus, as far as it decides which functions exist there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgeAbove {
    pub(crate) address: PciAddress,
    pub(crate) kind: FunctionKind,
    /// Where its PCIe capability begins.
    pub(crate) express: Option<u8>,
}

impl Header {
    pub(crate) fn number(&self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Bridge(_) => 1,
            Self::Cardbus => 2,
        }
    }
}

impl Seen {
    pub(crate) fn bridge(&self) -> Option<&SeenBridge> {
        if let Header::Bridge(bridge) = &self.header { Some(bridge) } else { None }
    }

    pub(crate) fn bridge_mut(&mut self) -> Option<&mut SeenBridge> {
        if let Header::Bridge(bridge) = &mut self.header { Some(bridge) } else { None }
    }

    /// Where its first extended capability with this ID begins.
    pub(crate) fn extended_capability(&self, id: u16) -> Option<u16> {
        self.extended_capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }

    /// This bridge, as the functions behind it depend on it.
    pub(crate) fn as_bridge_above(&self) -> BridgeAbove {
        let express = self.capabilities.iter().find(|entry| entry.id == id::PCIE).map(|entry| entry.offset);
        BridgeAbove { address: self.address, kind: self.kind, express }
    }
}

/// Appends the functions that exist on a bus, in the order in which Linux finds them.
///
/// Behind a PCIe port there is device 0 alone. Functions above 0 are asked only if function 0 is there: those
/// of its ARI chain if the port forwards by ARI, else all seven if function 0 says that there are more
/// (Linux: `pci_scan_slot`, `only_one_child`, `next_fn`).
pub(crate) fn scan_bus(
    config: &mut dyn ConfigAccess,
    (segment, bus): (u16, u8),
    above: Option<BridgeAbove>,
    reports: &mut Reports,
    seen: &mut Vec<Seen>,
) {
    let first = seen.len();
    let slots = if above.is_some_and(|above| above.kind.leads_to_a_link()) { 1 } else { 32 };
    let mut forwards_ari = false;
    for device in 0..slots {
        let slot = DeviceFunction::from_bits(device << 3);
        let mut number = 0;
        // An ARI function number goes beyond the three bits of a conventional one.
        while let Some(devfn) = slot.bits().checked_add(number).map(DeviceFunction::from_bits) {
            let address = PciAddress { segment, bus, devfn };
            // With more slots than one, a chain may have been there before.
            let known = seen[first..].iter().position(|seen| seen.address == address).map(|at| first + at);
            let at = known.or_else(|| {
                seen.push(look(config, address, number, above, reports)?);
                Some(seen.len() - 1)
            });
            let function = at.map(|at| &seen[at]);
            if number == 0 && function.is_none() {
                break;
            }
            if let (0, Some(function), Some(above)) = (devfn.bits(), function, above) {
                forwards_ari = ari::configure(config, above, function);
            }
            if let (None, Some(at)) = (known, at) {
                let alone = seen[first..].iter().all(|other| other.sriov.is_none());
                seen[at].sriov = sriov::init(config, &seen[at], alone, forwards_ari, reports);
            }
            let function = at.map(|at| &seen[at]);
            let next = if forwards_ari {
                function.and_then(|function| ari::next_function(config, function, number))
            } else {
                let more = function.is_none_or(|function| function.multifunction);
                Some(number + 1).filter(|number| *number < 8 && more)
            };
            let Some(next) = next else { break };
            number = next;
        }
    }
    if forwards_ari {
        ari::report_skipped(config, &seen[first..], reports);
    } else {
        ari::report_unreachable(config, &seen[first..], reports);
    }
}

/// Whether anything answers at `address`.
pub(crate) fn answers(config: &dyn ConfigAccess, address: PciAddress) -> bool {
    let id = config.read32(address, register::ID);
    // Linux: pci_bus_generic_read_dev_vendor_id; all zeroes come from boards that pull the bus down.
    id != 0 && id as u16 != 0xffff
}

/// The function at `address`, which is `number` of its slot, if one is there and can be used.
fn look(
    config: &dyn ConfigAccess,
    address: PciAddress,
    number: u8,
    above: Option<BridgeAbove>,
    reports: &mut Reports,
) -> Option<Seen> {
    let id = config.read32(address, register::ID);
    if id == 0 || id as u16 == 0xffff {
        return None;
    }
    let (vendor, device) = (id as u16, (id >> 16) as u16);
    if vendor == 0x0001 {
        // Configuration request retry status (PCIe 5.0, section 2.3.2); nobody here can wait for it.
        reports.not_ready(address);
        return None;
    }
    let header_type = (config.read32(address, register::CACHE_LINE_HEADER) >> 16) as u8;
    let header = match header_type & 0x7f {
        0 => Header::Normal,
        1 => Header::Bridge(SeenBridge {
            register: config.read32(address, register::BUS_NUMBERS),
            buses: None,
        }),
        2 => Header::Cardbus,
        other => {
            reports.unknown_header(address, other);
            return None;
        }
    };
    let (capabilities, claimed) = match header {
        Header::Cardbus => (Vec::new(), FunctionKind::Conventional),
        _ => capability::read_list(config, address, reports),
    };
    let (kind, impossible_port) = port_type(claimed, above, address, reports);
    let class_revision = config.read32(address, register::CLASS_REVISION);
    // Linux: pci_cfg_space_size. Conventional functions have 256 bytes, but a host bridge may have more.
    let extended = kind != FunctionKind::Conventional || class_revision >> 16 == HOST_BRIDGE;
    let extended_capabilities =
        if extended { capability::read_extended_list(config, address, reports) } else { Vec::new() };
    let multifunction_by_header = header_type & 0x80 != 0;
    Some(Seen {
        address,
        vendor,
        device,
        class_revision,
        header,
        multifunction: multifunction_by_header || number > 0,
        multifunction_by_header,
        kind,
        impossible_port,
        capabilities,
        extended_capabilities,
        sriov: None,
    })
}

/// What a function that claims to be `claimed` acts as, and whether the claim cannot be true below `above`.
///
/// A downstream port below a port that already leads to a link acts as an upstream port. An upstream port below
/// an upstream port acts as a downstream port by the specification; Linux up to 7.3.4 says so too, and then goes
/// on as if it isolated: it writes the type into bits that are not the type's (`set_pcie_port_type`). Its answer
/// is that of the claim, which is kept here.
fn port_type(
    claimed: FunctionKind,
    above: Option<BridgeAbove>,
    address: PciAddress,
    reports: &mut Reports,
) -> (FunctionKind, bool) {
    let Some(above) = above else { return (claimed, false) };
    let kind = match claimed {
        FunctionKind::DownstreamPort if above.kind.leads_to_a_link() => FunctionKind::UpstreamPort,
        FunctionKind::UpstreamPort if above.kind == FunctionKind::UpstreamPort => FunctionKind::UpstreamPort,
        _ => return (claimed, false),
    };
    reports.impossible_port(address, claimed, above.kind);
    (kind, true)
}
