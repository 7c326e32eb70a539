//! Single root I/O virtualisation (SR-IOV): reading the capability of physical functions.
//!
//! A virtual function has its own requester ID and config space, but no vendor ID there, so a scan does not find it.
//! Its ID is computed from that of its physical function, and may be on a later bus that no bridge leads to. These
//! bus numbers are reserved, whether or not virtual functions are enabled later.

use addr::{PciAddress, RequesterId};

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::function::capability::id;
use crate::function::kind::FunctionKind;
use crate::function::sriov::Sriov;
use crate::read::capability;
use crate::read::scanned::ScannedFunction;

/// Registers of the SR-IOV capability (PCIe 5.0, section 9.3.3), by offset.
pub(crate) mod offset {
    pub(crate) const CAPABILITIES: u16 = 0x04;
    pub(crate) const CONTROL: u16 = 0x08;
    pub(crate) const INITIAL: u16 = 0x0c;
    pub(crate) const TOTAL: u16 = 0x0e;
    pub(crate) const NUMBER: u16 = 0x10;
    pub(crate) const DEPENDENCY: u16 = 0x12;
    pub(crate) const FIRST: u16 = 0x14;
    pub(crate) const STRIDE: u16 = 0x16;
    pub(crate) const DEVICE_ID: u16 = 0x1a;
    pub(crate) const SUPPORTED_PAGES: u16 = 0x1c;
    pub(crate) const PAGE_SIZE: u16 = 0x20;
    pub(crate) const FIRST_BAR: u16 = 0x24;
    /// The sixth BAR.
    pub(crate) const LAST: u16 = 0x38;
}

/// Bits of the control register: virtual functions exist, they decode memory space, and functions of the device are
/// numbered by ARI.
pub(crate) const VF_ENABLE: u16 = 1 << 0;
pub(crate) const VF_MEMORY: u16 = 1 << 3;
const ARI_HIERARCHY: u16 = 1 << 4;
impl Sriov {
    /// The offset of the first BAR of virtual functions in config space.
    pub(crate) fn first_bar(self) -> u16 {
        self.offset + offset::FIRST_BAR
    }
}

/// Resets the SR-IOV capability of `function`, so that no virtual function is enabled, and reads it.
///
/// `first` is whether no function before it on its bus has the capability; only that function controls ARI. Linux:
/// `sriov_init`, `compute_max_vf_buses`.
pub(crate) fn init(
    config: &mut dyn ConfigAccess,
    function: &ScannedFunction,
    first: bool,
    forwards_ari: bool,
    findings: &mut Findings,
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
    // The smallest supported page size; 4 KiB is bit 0 (PCIe 5.0, section 9.3.3.12).
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
        findings.sriov_malformed(at);
        return None;
    }
    Some(sriov)
}

/// The requester IDs of virtual functions, before they are truncated to 16 bits.
pub(crate) struct Ids {
    first: u32,
    stride: u32,
}

impl Ids {
    /// Reads the IDs with NumVFs at `number`; none unless they differ from each other and from the physical
    /// function's.
    pub(crate) fn read(
        config: &dyn ConfigAccess,
        at: PciAddress,
        capability: u16,
        number: u16,
    ) -> Option<Self> {
        let first = config.read16(at, capability + offset::FIRST);
        let stride = config.read16(at, capability + offset::STRIDE);
        let valid = first != 0 && (number == 1 || stride != 0);
        let RequesterId(own) = at.requester_id();
        valid.then(|| Self { first: u32::from(own) + u32::from(first), stride: stride.into() })
    }

    pub(crate) fn of(&self, number: u16) -> u32 {
        self.first + self.stride * u32::from(number)
    }
}

/// The number of bus numbers after `bus` that are reserved for virtual functions (Linux: `pci_iov_bus_range`).
pub(crate) fn reserved_buses(bus: u8, functions: &[ScannedFunction]) -> u16 {
    let last = functions.iter().filter_map(|function| Some(function.sriov?.last_bus)).max();
    last.map_or(0, |last| last - u16::from(bus))
}
