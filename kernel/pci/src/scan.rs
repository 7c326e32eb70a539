//! Which functions answer on one bus.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::access::{ConfigAccess, register};
use crate::bridge::BusNumbers;
use crate::capability::{self, Capability};
use crate::function::FunctionKind;
use crate::reports::Reports;

/// A function that answers, with what has been read of it so far.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) address: PciAddress,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    pub(crate) header: Header,
    /// Bit 7 of its own header type, or a function above 0.
    pub(crate) multifunction: bool,
    pub(crate) multifunction_by_header: bool,
}

/// Header types that exist, with what numbering needs of each.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Normal,
    Bridge(SeenBridge),
    Cardbus,
}

/// What has to be known of a bridge before it is numbered.
#[derive(Clone, Debug)]
pub(crate) struct SeenBridge {
    /// The register with its bus numbers as found; the highest byte is the latency timer.
    pub(crate) register: u32,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) kind: FunctionKind,
    /// What it got, or keeps.
    pub(crate) buses: Option<BusNumbers>,
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

    /// Whether this is a bridge with only device 0 behind it.
    pub(crate) fn leads_to_a_link(&self) -> bool {
        self.bridge().is_some_and(|bridge| bridge.kind.leads_to_a_link())
    }

    pub(crate) fn bridge_mut(&mut self) -> Option<&mut SeenBridge> {
        if let Header::Bridge(bridge) = &mut self.header { Some(bridge) } else { None }
    }
}

/// Appends what answers on a bus, ascending by device and function.
///
/// `slots` is 1 behind a PCIe port, where the specification has device 0 alone, else 32. Functions above
/// 0 are asked only if function 0 is there and says that it has more (Linux: `pci_scan_slot`).
pub(crate) fn scan_bus(
    config: &dyn ConfigAccess,
    (segment, bus): (u16, u8),
    slots: u8,
    reports: &mut Reports,
    seen: &mut Vec<Seen>,
) {
    for device in 0..slots {
        let mut look_at = |function: u8| {
            let devfn = DeviceFunction::from_bits(device << 3 | function);
            look(config, PciAddress { segment, bus, devfn }, reports)
        };
        let Some(first) = look_at(0) else { continue };
        let more = first.multifunction;
        seen.push(first);
        if more {
            seen.extend((1..8).filter_map(look_at));
        }
    }
}

/// Whether anything answers at `address`.
pub(crate) fn answers(config: &dyn ConfigAccess, address: PciAddress) -> bool {
    let id = config.read32(address, register::ID);
    // Linux: pci_bus_generic_read_dev_vendor_id; all zeroes come from boards that pull the bus down.
    id != 0 && id as u16 != 0xffff
}

/// The function at `address`, if one is there and can be used.
fn look(config: &dyn ConfigAccess, address: PciAddress, reports: &mut Reports) -> Option<Seen> {
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
        1 => {
            let register = config.read32(address, register::BUS_NUMBERS);
            let (capabilities, kind) = capability::read_list(config, address, reports);
            Header::Bridge(SeenBridge { register, capabilities, kind, buses: None })
        }
        2 => Header::Cardbus,
        other => {
            reports.unknown_header(address, other);
            return None;
        }
    };
    let multifunction_by_header = header_type & 0x80 != 0;
    let multifunction = multifunction_by_header || address.devfn.function() > 0;
    Some(Seen { address, vendor, device, header, multifunction, multifunction_by_header })
}
