//! Devices that were added to slots and removed from them after the boot (`hotplug=`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// One change of a slot, and what it led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotPlug {
    /// Name of the port that leads to the slot.
    pub port: String,
    /// What happened.
    pub kind: HotPlugKind,
    /// The functions that came or went; behind bridges, in the order in which the kernel added or removed them.
    pub devices: Vec<HotPlugDevice>,
    /// Number of groups after the change.
    pub groups: u32,
}

/// What happened in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HotPlugKind {
    /// A device was plugged in.
    Added,
    /// The attention button was pressed, and the kernel released the device.
    Removed,
    /// The device was gone before the kernel knew.
    Pulled,
}

/// A function that came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotPlugDevice {
    /// Its name.
    pub name: String,
    /// Its group after the change.
    pub group: Option<u32>,
    /// The other members of that group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares_with: Vec<String>,
}

impl fmt::Display for HotPlug {
    /// `added behind 0000:00:03.0: 0000:02:00.0 in group 5; 6 groups`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            HotPlugKind::Added => "added",
            HotPlugKind::Removed => "removed",
            HotPlugKind::Pulled => "pulled",
        };
        write!(f, "{what} behind {}:", self.port)?;
        if self.devices.is_empty() {
            f.write_str(" nothing")?;
        }
        for (place, device) in self.devices.iter().enumerate() {
            write!(f, "{} {}", if place == 0 { "" } else { "," }, device.name)?;
            match (self.kind, device.group) {
                (_, Some(group)) => write!(f, " in group {group}")?,
                (HotPlugKind::Added, None) => f.write_str(" without a group")?,
                (HotPlugKind::Removed | HotPlugKind::Pulled, None) => {}
            }
            if !device.shares_with.is_empty() {
                write!(f, " with {}", device.shares_with.join(", "))?;
            }
        }
        let plural = if self.groups == 1 { "" } else { "s" };
        write!(f, "; {} group{plural}", self.groups)
    }
}
