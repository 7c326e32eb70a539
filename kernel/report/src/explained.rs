//! Why a device is in its group (`explain=`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The facts that decide about the group of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Name of the device.
    pub device: String,
    /// Its group.
    pub group: Option<u32>,
    /// The other members of that group.
    pub shares_with: Vec<String>,
    /// Why it is in that group, or in none.
    pub why: String,
    /// Requester IDs of its requests; none for a device that is not a PCI function.
    pub requester_ids: Vec<RequesterOf>,
    /// Firmware's entry for them.
    pub references: Vec<Reference>,
    /// The bridges from its bus to the root, nearest first.
    pub bridges: Vec<AcsOf>,
    /// The function itself and the others in its slot, ascending.
    pub slot: Vec<AcsOf>,
    /// Functions that have to isolate for it to be alone; empty if it is alone already, missing if no register decides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone_if: Option<Vec<String>>,
}

/// A requester ID, and the function that causes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequesterOf {
    /// The ID.
    pub id: String,
    /// The device itself, or a bridge above it that replaces the ID.
    pub owner: String,
}

/// Where firmware leads requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The requester ID; missing where the device itself refers to the IOMMU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_id: Option<String>,
    /// Firmware's name of the IOMMU.
    pub iommu: String,
    /// The endpoint ID there.
    pub endpoint: String,
    /// Property or table: `iommu-map`, `viot`.
    pub source: String,
    /// Whether the IOMMU translates the device by this endpoint. QEMU's does not know all that firmware names.
    pub in_use: bool,
}

/// Whether a function isolates, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcsOf {
    /// Name of the function.
    pub name: String,
    /// Its type, as of a device.
    pub kind: String,
    /// ACS bits that it has, by the abbreviations of the specification: `SV RR CR UF`; missing without the capability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has: Option<String>,
    /// ACS bits that are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// `isolates`, or why not.
    pub verdict: String,
}

/// The ACS bits that a function needs in order to isolate, if it has them.
const NEEDED: &str = "SV RR CR UF";

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, group, shares_with, why, .. } = self;
        match group {
            Some(group) if shares_with.is_empty() => writeln!(f, "{device} is alone in group {group}")?,
            Some(group) => {
                writeln!(f, "{device} is in group {group} with {}: {why}", shares_with.join(", "))?
            }
            None => writeln!(f, "{device} is in no group: {why}")?,
        }
        for RequesterOf { id, owner } in &self.requester_ids {
            let by = if owner == device { "its own" } else { owner };
            writeln!(f, "  requester ID {id}: {by}")?;
        }
        if self.references.is_empty() {
            writeln!(f, "  firmware leads it to no IOMMU")?;
        }
        for Reference { requester_id, iommu, endpoint, source, in_use } in &self.references {
            let from = requester_id.as_deref().unwrap_or("the device");
            let not_in_use = if *in_use || group.is_none() {
                ""
            } else {
                ", which is not in use: the IOMMU does not accept it"
            };
            writeln!(f, "  {source}: {from} is endpoint {endpoint} of {iommu}{not_in_use}")?;
        }
        for bridge in &self.bridges {
            writeln!(f, "  behind {bridge}")?;
        }
        // A function that is alone in its slot and isolates needs no line there.
        for function in self.slot.iter().filter(|_| self.slot.len() > 1) {
            writeln!(f, "  in the slot: {function}")?;
        }
        match &self.alone_if {
            None if self.requester_ids.is_empty() || group.is_none() => Ok(()),
            None => writeln!(f, "  no ACS register can separate it"),
            Some(functions) if functions.is_empty() => Ok(()),
            Some(functions) => {
                writeln!(f, "  alone if these had ACS with {NEEDED} on: {}", functions.join(", "))
            }
        }
    }
}

impl fmt::Display for AcsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, has, on, verdict } = self;
        write!(f, "{name} ({kind}): {verdict}")?;
        match (has, on) {
            (Some(has), Some(on)) => write!(f, "; ACS has {}, on {}", or_none(has), or_none(on)),
            _ => Ok(()),
        }
    }
}

fn or_none(bits: &str) -> &str {
    if bits.is_empty() { "none" } else { bits }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn port(name: &str, verdict: &str) -> AcsOf {
        let (name, kind) = (name.to_string(), "root-port".to_string());
        AcsOf { name, kind, has: Some("SV RR".into()), on: Some(String::new()), verdict: verdict.into() }
    }

    #[test]
    fn the_text_says_what_decides_and_what_would_change_it() {
        let explained = Explained {
            device: "0000:01:00.0".into(),
            group: Some(3),
            shares_with: vec!["0000:00:02.0".into()],
            why: "behind 0000:00:02.0, which does not isolate (ACS SV RR off)".into(),
            requester_ids: vec![
                RequesterOf { id: "0x0100".into(), owner: "0000:01:00.0".into() },
                RequesterOf { id: "0x0110".into(), owner: "0000:00:02.0".into() },
            ],
            references: vec![Reference {
                requester_id: Some("0x0100".into()),
                iommu: "/iommu".into(),
                endpoint: "0x100".into(),
                source: "iommu-map".into(),
                in_use: true,
            }],
            bridges: vec![port("0000:00:02.0", "ACS SV RR off")],
            slot: vec![port("0000:01:00.0", "isolates")],
            alone_if: Some(vec!["0000:00:02.0".into()]),
        };
        let expected = "\
0000:01:00.0 is in group 3 with 0000:00:02.0: behind 0000:00:02.0, which does not isolate (ACS SV RR off)
  requester ID 0x0100: its own
  requester ID 0x0110: 0000:00:02.0
  iommu-map: 0x0100 is endpoint 0x100 of /iommu
  behind 0000:00:02.0 (root-port): ACS SV RR off; ACS has SV RR, on none
  alone if these had ACS with SV RR CR UF on: 0000:00:02.0
";
        assert_eq!(explained.to_string(), expected);
        let alone = Explained { shares_with: vec![], alone_if: Some(vec![]), ..explained.clone() };
        assert!(alone.to_string().starts_with("0000:01:00.0 is alone in group 3\n"));
        assert!(!alone.to_string().contains("alone if"));
        let never = Explained { alone_if: None, ..explained };
        assert!(never.to_string().ends_with("  no ACS register can separate it\n"));
    }

    #[test]
    fn a_platform_device_has_no_requester_id() {
        let device = "a000000.virtio_mmio".into();
        let explained = Explained { device, why: "not in the firmware's map".into(), ..Explained::default() };
        let expected = "a000000.virtio_mmio is in no group: not in the firmware's map\n  firmware leads it to no IOMMU\n";
        assert_eq!(explained.to_string(), expected);
    }
}
