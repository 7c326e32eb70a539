//! Finding the functions on one bus.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::function::kind::FunctionKind;
use crate::read::port_type::port_type;
use crate::read::scanned::{BridgeAbove, HOST_BRIDGE, Header, ScannedBridge, ScannedFunction};
use crate::read::{ari, capability, sriov};

/// Appends the functions that exist on a bus, in the order in which Linux finds them.
///
/// Behind a PCIe port only device 0 exists. Functions above 0 are read only if function 0 exists: those of its ARI
/// chain if the port forwards by ARI, else all seven if function 0 is a multifunction device (Linux: `pci_scan_slot`,
/// `only_one_child`, `next_fn`).
pub(crate) fn scan_bus(
    config: &mut dyn ConfigAccess,
    (segment, bus): (u16, u8),
    above: Option<BridgeAbove>,
    findings: &mut Findings,
    scanned: &mut Vec<ScannedFunction>,
) {
    let first = scanned.len();
    let slots = if above.is_some_and(|above| above.kind.leads_to_a_link()) { 1 } else { 32 };
    let mut forwards_ari = false;
    for device in 0..slots {
        let slot = DeviceFunction::from_bits(device << 3);
        let mut number = 0;
        // An ARI function number has more than the three bits of a conventional one.
        while let Some(devfn) = slot.bits().checked_add(number).map(DeviceFunction::from_bits) {
            let address = PciAddress { segment, bus, devfn };
            // With several slots, an earlier chain may have reached this function.
            let known =
                scanned[first..].iter().position(|scanned| scanned.address == address).map(|at| first + at);
            let at = known.or_else(|| {
                scanned.push(look(config, address, number, above, findings)?);
                Some(scanned.len() - 1)
            });
            let function = at.map(|at| &scanned[at]);
            if number == 0 && function.is_none() {
                break;
            }
            if let (0, Some(function), Some(above)) = (devfn.bits(), function, above) {
                forwards_ari = ari::configure(config, above, function);
            }
            if let (None, Some(at)) = (known, at) {
                let alone = scanned[first..].iter().all(|other| other.sriov.is_none());
                scanned[at].sriov = sriov::init(config, &scanned[at], alone, forwards_ari, findings);
            }
            let function = at.map(|at| &scanned[at]);
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
        ari::report_skipped(config, &scanned[first..], findings);
    } else {
        ari::report_unreachable(config, &scanned[first..], findings);
    }
}

/// Reads the function at `address`, which is function `number` of its slot; none if it does not exist or cannot be
/// used.
fn look(
    config: &dyn ConfigAccess,
    address: PciAddress,
    number: u8,
    above: Option<BridgeAbove>,
    findings: &mut Findings,
) -> Option<ScannedFunction> {
    let id = config.read32(address, register::ID);
    if id == 0 || id as u16 == 0xffff {
        return None;
    }
    let (vendor, device) = (id as u16, (id >> 16) as u16);
    if vendor == 0x0001 {
        // Configuration request retry status (PCIe 5.0, section 2.3.2); this crate has no means to wait.
        findings.not_ready(address);
        return None;
    }
    let header_type = (config.read32(address, register::CACHE_LINE_HEADER) >> 16) as u8;
    let header = match header_type & 0x7f {
        0 => Header::Normal,
        1 => Header::Bridge(ScannedBridge {
            register: config.read32(address, register::BUS_NUMBERS),
            buses: None,
        }),
        2 => Header::Cardbus,
        other => {
            findings.unknown_header(address, other);
            return None;
        }
    };
    let (capabilities, claimed) = match header {
        Header::Cardbus => (Vec::new(), FunctionKind::Conventional),
        _ => capability::read_list(config, address, findings),
    };
    let (kind, impossible_port) = port_type(claimed, above, address, findings);
    let class_revision = config.read32(address, register::CLASS_REVISION);
    // Linux: `pci_cfg_space_size`. Conventional functions have 256 bytes, but a host bridge may have more.
    let extended = kind != FunctionKind::Conventional || class_revision >> 16 == HOST_BRIDGE;
    let extended_capabilities =
        if extended { capability::read_extended_list(config, address, findings) } else { Vec::new() };
    let multifunction_by_header = header_type & 0x80 != 0;
    Some(ScannedFunction {
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
