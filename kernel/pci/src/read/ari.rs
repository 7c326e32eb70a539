//! Alternative routing ID interpretation (ARI): device and function number form one function number.
//!
//! Behind a port that forwards by ARI, one device has up to 256 functions. Each function contains the number of the
//! next one. A function that this chain does not reach does not exist for software, even if it answers.

use addr::{DeviceFunction, PciAddress};

use crate::config::access::{ConfigAccess, answers};
use crate::findings::Findings;
use crate::function::capability::id;
use crate::function::kind::FunctionKind;
use crate::read::capability::in_extended_space;
use crate::read::scanned::{BridgeAbove, ScannedFunction};

/// Registers of the PCIe capability (PCIe 5.0, section 7.5.3), by offset.
const FLAGS: u16 = 0x02;
const DEVICE_CAPABILITIES_2: u16 = 0x24;
const DEVICE_CONTROL_2: u16 = 0x28;
/// ARI forwarding, in both device capabilities 2 and device control 2.
const ARI_FORWARDING: u16 = 1 << 5;
/// Version bits of the flags register; the second set of registers exists from version 2 on.
const VERSION: u16 = 0xf;
/// In the ARI extended capability, the offset of the register whose upper byte is the number of the next function.
const ARI_CAPABILITY: u16 = 4;

/// Enables ARI forwarding in the port `above` if function 0 of its device has ARI, else disables it. Returns whether
/// it is enabled.
///
/// Linux: `pci_configure_ari`.
pub(crate) fn configure(config: &mut dyn ConfigAccess, above: BridgeAbove, first: &ScannedFunction) -> bool {
    let Some(express) = above.express.map(u16::from) else { return false };
    if first.kind == FunctionKind::Conventional || express + DEVICE_CONTROL_2 >= 0x100 {
        return false;
    }
    let version = config.read16(above.address, express + FLAGS) & VERSION;
    let can =
        version > 1 && config.read16(above.address, express + DEVICE_CAPABILITIES_2) & ARI_FORWARDING != 0;
    if !can {
        return false;
    }
    let on = first.extended_capability(id::ARI).is_some();
    let control = config.read16(above.address, express + DEVICE_CONTROL_2);
    let wanted = if on { control | ARI_FORWARDING } else { control & !ARI_FORWARDING };
    if wanted != control {
        config.write16(above.address, express + DEVICE_CONTROL_2, wanted);
    }
    on
}

/// The next function in the chain; numbers must ascend (Linux: `next_ari_fn`).
pub(crate) fn next_function(config: &dyn ConfigAccess, function: &ScannedFunction, number: u8) -> Option<u8> {
    named_next(config, function).filter(|next| *next > number)
}

fn named_next(config: &dyn ConfigAccess, function: &ScannedFunction) -> Option<u8> {
    let offset = function.extended_capability(id::ARI)?;
    let register = in_extended_space(offset + ARI_CAPABILITY)?;
    Some((config.read16(function.address, register) >> 8) as u8)
}

/// Reports functions that answer although the chain behind an ARI-forwarding port does not reach them.
pub(crate) fn report_skipped(
    config: &dyn ConfigAccess,
    scanned: &[ScannedFunction],
    findings: &mut Findings,
) {
    let Some(first) = scanned.first().filter(|first| first.multifunction_by_header) else { return };
    let PciAddress { segment, bus, .. } = first.address;
    for number in 1..8 {
        let address = PciAddress { segment, bus, devfn: DeviceFunction::from_bits(number) };
        if !scanned.iter().any(|scanned| scanned.address == address) && answers(config, address) {
            findings.not_in_ari_chain(address);
        }
    }
}

/// Reports functions that only ARI can reach where the port does not forward by it (PCIe 5.0, section 7.8.8.2).
pub(crate) fn report_unreachable(
    config: &dyn ConfigAccess,
    scanned: &[ScannedFunction],
    findings: &mut Findings,
) {
    for function in scanned {
        if let Some(next) = named_next(config, function).filter(|next| *next > 7) {
            findings.ari(function.address, next);
        }
    }
}
