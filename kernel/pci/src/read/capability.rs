//! Reading the capability lists.

use alloc::vec::Vec;

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::function::capability::{Capability, ExtendedCapability, id};
use crate::function::kind::FunctionKind;

/// The maximum number of entries: 192 bytes, four each.
const MAX_CAPABILITIES: usize = 48;
/// The maximum number of entries: 3,840 bytes, eight each.
const MAX_EXTENDED_CAPABILITIES: usize = 480;
/// The first offset of an extended capability.
const EXTENDED_SPACE: u16 = 0x100;
/// The last offset of an extended capability.
const LAST_EXTENDED: u16 = 0xffc;

/// Reads the capability list of a function, and its kind from the PCIe capability.
pub(crate) fn read_list(
    config: &dyn ConfigAccess,
    at: PciAddress,
    findings: &mut Findings,
) -> (Vec<Capability>, FunctionKind) {
    const LIST: &str = "capability list";
    const HAS_LIST: u32 = 1 << 20;
    let (mut list, mut kind) = (Vec::new(), None);
    if config.read32(at, register::COMMAND) & HAS_LIST == 0 {
        return (list, FunctionKind::Conventional);
    }
    // The two lowest bits are reserved and must be masked.
    let mut offset = config.read8(at, register::CAPABILITIES) & !3;
    while offset != 0 {
        if offset < 0x40 {
            findings.capability_list(at, LIST, offset.into(), "points into the header");
            break;
        }
        if list.len() == MAX_CAPABILITIES {
            findings.capability_list(at, LIST, offset.into(), "exceeds the limit of 48 entries");
            break;
        }
        let head = config.read32(at, offset.into());
        let id = head as u8;
        if id == 0xff {
            findings.capability_list(at, LIST, offset.into(), "has an empty entry");
            break;
        }
        if list.iter().any(|entry: &Capability| entry.offset == offset) {
            findings.capability_list(at, LIST, offset.into(), "forms a loop");
            break;
        }
        list.push(Capability { id, offset });
        if id == id::PCIE && kind.is_none() {
            kind = Some(FunctionKind::from_port_type((head >> 20 & 0xf) as u8));
        }
        offset = (head >> 8) as u8 & !3;
    }
    if let Some(FunctionKind::Reserved(value)) = kind {
        findings.reserved_kind(at, value);
    }
    (list, kind.unwrap_or(FunctionKind::Conventional))
}

/// Reads the extended capability list; empty without extended config space.
pub(crate) fn read_extended_list(
    config: &dyn ConfigAccess,
    at: PciAddress,
    findings: &mut Findings,
) -> Vec<ExtendedCapability> {
    const LIST: &str = "extended capability list";
    let mut list = Vec::new();
    let mut visited = [0u64; 16];
    let mut offset = EXTENDED_SPACE;
    loop {
        let head = config.read32(at, offset);
        let id = head as u16;
        // Zero ends a list, as the first entry or as a later one (QEMU 11.1: `virtio-net-pci` with `sriov-pf`; Linux:
        // `pci_find_next_ext_capability`). Without extended space it reads as all ones.
        if head == 0 || head == u32::MAX {
            if head != 0 && offset != EXTENDED_SPACE {
                findings.capability_list(at, LIST, offset, "has an empty entry");
            }
            break;
        }
        let (word, bit) = (usize::from(offset >> 8), 1u64 << (offset >> 2 & 63));
        if visited[word] & bit != 0 {
            findings.capability_list(at, LIST, offset, "forms a loop");
            break;
        }
        visited[word] |= bit;
        if list.len() == MAX_EXTENDED_CAPABILITIES {
            findings.capability_list(at, LIST, offset, "exceeds the limit of 480 entries");
            break;
        }
        list.push(ExtendedCapability { id, offset });
        offset = (head >> 20) as u16 & LAST_EXTENDED;
        if offset == 0 {
            break;
        }
        if offset < EXTENDED_SPACE {
            findings.capability_list(at, LIST, offset, "points below 0x100");
            break;
        }
    }
    list
}

/// `offset`, if it is in config space.
pub(crate) fn in_extended_space(offset: u16) -> Option<u16> {
    (offset < 0x1000).then_some(offset)
}
