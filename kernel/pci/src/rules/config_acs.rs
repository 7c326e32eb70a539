//! ACS settings of the command line (Linux since 6.12: `pci=config_acs=`, `__pci_config_acs`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::DeviceFunction;

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::acs::AcsFlags;
use crate::topology::Topology;

/// The ACS settings of the user. If several entries match a function, the first one is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigAcs(Vec<AcsEntry>);

/// `FLAGS@DEVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AcsEntry {
    text: String,
    /// The bits that the user sets; the others keep firmware's value.
    mask: AcsFlags,
    /// The values of these bits.
    flags: AcsFlags,
    device: Selector,
}

/// Selects functions (Linux: `pci_dev_str_match`).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    /// The function at an address, or bridge by bridge below it.
    Path { segment: u16, bus: u8, steps: Vec<DeviceFunction> },
    /// Vendor, device, subsystem vendor and subsystem device ID; 0 is any.
    Ids([u16; 4]),
}

impl ConfigAcs {
    /// Parses a list of entries, separated by semicolons.
    ///
    /// As on Linux, the list ends at the first entry that cannot be parsed; the entries before it are used. The
    /// second value describes the error.
    #[must_use]
    pub fn parse(list: &str) -> (Self, Option<String>) {
        let mut entries = Vec::new();
        for text in list.split(';') {
            match AcsEntry::parse(text) {
                Ok(entry) => entries.push(entry),
                Err(why) => return (Self(entries), Some(format!("{text:?}: {why}"))),
            }
        }
        (Self(entries), None)
    }
}

/// An entry that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum AcsEntryError {
    #[error("expected FLAGS@DEVICE")]
    NoDevice,
    #[error("expected 7 flags: DT EC UF CR RR TB SV")]
    TooManyFlags,
    #[error("expected flags 0, 1 or x")]
    NotAFlag,
    #[error("expected a device [DOMAIN:]BUS:DEV.FN[/DEV.FN]* or pci:VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE]")]
    NotADevice,
}

impl AcsEntry {
    fn parse(text: &str) -> Result<Self, AcsEntryError> {
        let (digits, device) = text.split_once('@').ok_or(AcsEntryError::NoDevice)?;
        let (mut mask, mut flags) = (AcsFlags::empty(), AcsFlags::empty());
        for (bit, digit) in digits.bytes().rev().enumerate() {
            let named = 1_u16.checked_shl(bit as u32).map_or(AcsFlags::empty(), AcsFlags::from_bits_retain);
            match digit {
                b'x' | b'X' => continue,
                b'0' | b'1' if !AcsFlags::NAMED.contains(named) || named.is_empty() => {
                    return Err(AcsEntryError::TooManyFlags);
                }
                b'0' => {}
                b'1' => flags |= named,
                _ => return Err(AcsEntryError::NotAFlag),
            }
            mask |= named;
        }
        let device = Selector::parse(device).ok_or(AcsEntryError::NotADevice)?;
        Ok(Self { text: text.to_string(), mask, flags, device })
    }
}

impl Selector {
    fn parse(text: &str) -> Option<Self> {
        if let Some(ids) = text.strip_prefix("pci:") {
            let ids = ids.split(':').map(hex).collect::<Option<Vec<u16>>>()?;
            return match ids[..] {
                [vendor, device] => Some(Self::Ids([vendor, device, 0, 0])),
                [vendor, device, by, card] => Some(Self::Ids([vendor, device, by, card])),
                _ => None,
            };
        }
        let (bus, path) = text.rsplit_once(':')?;
        let (segment, bus) = bus.split_once(':').unwrap_or(("0", bus));
        let steps = path.split('/').map(|step| {
            let (device, function) = step.split_once('.')?;
            DeviceFunction::new(hex(device)?.try_into().ok()?, hex(function)?.try_into().ok()?)
        });
        Some(Self::Path {
            segment: hex(segment)?,
            bus: hex(bus)?.try_into().ok()?,
            steps: steps.collect::<Option<_>>()?,
        })
    }

    fn matches(&self, topology: &Topology, function: &Function) -> bool {
        match self {
            Self::Ids(wanted) => {
                let (by, card) = function.subsystem.map_or((0, 0), |id| (id.vendor, id.device));
                let found = [function.vendor, function.device, by, card];
                wanted.iter().zip(found).all(|(wanted, found)| *wanted == 0 || *wanted == found)
            }
            Self::Path { segment, bus, steps } => {
                let mut here = Some(function);
                for (above, step) in steps.iter().rev().enumerate() {
                    if above > 0 {
                        here = here.and_then(|below| below.parent).map(|parent| &topology[parent]);
                    }
                    if here.is_none_or(|here| here.address.devfn != *step) {
                        return false;
                    }
                }
                here.is_some_and(|here| here.address.segment == *segment && here.address.bus == *bus)
            }
        }
    }
}

/// Parses a number as Linux's `%x` does; none if it does not fit.
fn hex(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // `from_str_radix` would accept a sign.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Sets ACS of the functions that `choice` selects, with or without an IOMMU. [`enable_acs`] does not change these
/// functions any more. Call this before anything is grouped.
///
/// Returns the entries without effect: those whose functions have no ACS capability, or match an earlier entry.
///
/// [`enable_acs`]: crate::enable_acs
pub fn config_acs(config: &mut dyn ConfigAccess, topology: &mut Topology, choice: &ConfigAcs) -> Vec<String> {
    let mut unused: Vec<bool> = choice.0.iter().map(|_| true).collect();
    for index in topology.indices() {
        let function = &topology[index];
        let matching = choice.0.iter().position(|entry| entry.device.matches(topology, function));
        let (Some(mut acs), Some(number)) = (function.acs, matching) else { continue };
        let (entry, address) = (&choice.0[number], function.address);
        unused[number] = false;
        let wanted = (acs.control - entry.mask) | (entry.flags & entry.mask & acs.capability);
        config.write16(address, acs.offset + 6, wanted.bits());
        acs.control = AcsFlags::from_bits_retain(config.read16(address, acs.offset + 6));
        acs.is_chosen = true;
        topology.function_mut(index).acs = Some(acs);
    }
    let unused = choice.0.iter().zip(unused).filter(|(_, unused)| *unused);
    unused.map(|(entry, _)| entry.text.clone()).collect()
}
