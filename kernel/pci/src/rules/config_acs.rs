//! What the command line says about ACS (Linux: `pci=config_acs=`, `__pci_config_acs`; since Linux 6.12).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::DeviceFunction;

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::acs::AcsFlags;
use crate::topology::Topology;

/// For which functions ACS is as the user says. For one that several entries match, the first one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigAcs(Vec<Entry>);

/// `FLAGS@DEVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    text: String,
    /// Which bits the user decides; the others stay as firmware left them.
    mask: AcsFlags,
    /// What those are to be.
    flags: AcsFlags,
    device: Selector,
}

/// Which functions are meant (Linux: `pci_dev_str_match`).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    /// The function at a place, or below it bridge by bridge.
    Path { segment: u16, bus: u8, steps: Vec<DeviceFunction> },
    /// Vendor, device, subsystem vendor and subsystem device ID; 0 is any.
    Ids([u16; 4]),
}

impl ConfigAcs {
    /// Reads a list with semicolons.
    ///
    /// As on Linux, what cannot be read ends the list, and what is before it counts; the text says what that is.
    #[must_use]
    pub fn parse(list: &str) -> (Self, Option<String>) {
        let mut entries = Vec::new();
        for text in list.split(';') {
            match Entry::parse(text) {
                Ok(entry) => entries.push(entry),
                Err(why) => return (Self(entries), Some(format!("{text:?}: {why}"))),
            }
        }
        (Self(entries), None)
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (digits, device) = text.split_once('@').ok_or("expected FLAGS@DEVICE")?;
        let (mut mask, mut flags) = (AcsFlags::empty(), AcsFlags::empty());
        for (bit, digit) in digits.bytes().rev().enumerate() {
            let named = 1_u16.checked_shl(bit as u32).map_or(AcsFlags::empty(), AcsFlags::from_bits_retain);
            match digit {
                b'x' | b'X' => continue,
                b'0' | b'1' if !AcsFlags::NAMED.contains(named) || named.is_empty() => {
                    return Err("there are 7 flags: DT EC UF CR RR TB SV");
                }
                b'0' => {}
                b'1' => flags |= named,
                _ => return Err("a flag is 0, 1 or x"),
            }
            mask |= named;
        }
        let device = Selector::parse(device)
            .ok_or("a device is [DOMAIN:]BUS:DEV.FN[/DEV.FN]* or pci:VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE]")?;
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

/// A number as Linux's `%x` reads it, if it fits.
fn hex(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // `from_str_radix` would take a sign.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Sets ACS where `choice` says so, whether or not there is an IOMMU, and keeps it so: [`enable_acs`] leaves
/// those functions alone. Comes before anything is grouped.
///
/// Returns the entries that decide for no function: none that they match has ACS, or an earlier one decides.
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
