//! What was done to devices and their groups after the boot (`then=`).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::group_type::GroupType;

/// One operation, and the state of the device and its group after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// As on the command line: `type:identity@0000:00:02.0`.
    pub operation: String,
    /// Why it was refused, if it was. A refusal is not a failure of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Type of the group's default domain; none if the device is not in a group.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GroupType>,
    /// Driver of the device.
    pub driver: Option<String>,
    /// Who has claimed the group, if it is claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// Whether a claimed group has no access to anything; false if its owner has attached a domain.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub blocked: bool,
    /// Whether the device was removed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub removed: bool,
}

impl fmt::Display for Operation {
    /// `type:DMA@0000:00:02.0: identity, e1000e, refused: group 1 is in use by 1 driver (EPERM)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.removed {
            return write!(f, "{}: removed", self.operation);
        }
        let kind = self.kind.map_or("no group", GroupType::word);
        let driver = self.driver.as_deref().unwrap_or("no driver");
        write!(f, "{}: {kind}, {driver}", self.operation)?;
        if let Some(owner) = &self.claimed_by {
            let domain = if self.blocked { "blocked" } else { "in its own domain" };
            write!(f, ", claimed by {owner}, {domain}")?;
        }
        if let Some(why) = &self.refused {
            write!(f, ", refused: {why}")?;
        }
        Ok(())
    }
}
