//! What real Linux kernels answered: `xtask/linux/expected`, one file a machine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use report::GroupType;
use serde::Deserialize;
use serde_json::Value;

use crate::output;

/// The Linux whose answers the paths `fixed` and `upstream` are compared with.
const LINUX: &str = "7.3.4";

/// One kernel's answer for one machine. What is not compared is not read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    /// Groups in the order of their numbers.
    pub(crate) groups: Vec<Group>,
    /// PCI functions in no group.
    pub(crate) without_group: Vec<Function>,
    /// IOMMU instances.
    pub(crate) iommus: Vec<Instance>,
}

/// One group, as sysfs shows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    #[serde(rename = "type")]
    pub(crate) kind: GroupType,
    /// `0x0000000008020000 0x0000000008020fff msi`
    pub(crate) reserved_regions: Vec<String>,
    pub(crate) devices: Vec<Function>,
}

/// One PCI function.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) bdf: String,
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) kind: String,
    /// ACS registers of a function that has them.
    pub(crate) acs_cap: Option<String>,
    pub(crate) acs_ctrl: Option<String>,
}

/// One IOMMU instance.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) devices: Vec<String>,
}

impl Answer {
    /// The answer for `machine`, described by ACPI tables or by a device tree. Where Linux did not get so far
    /// with tables, the answer for the tree counts for both.
    ///
    /// # Errors
    ///
    /// There is none, or it is malformed.
    pub(crate) fn read(machine: &str, by_tables: bool) -> Result<Self> {
        let boot = if by_tables { "acpi" } else { "dt" };
        let file = directory().join(format!("{machine}.{boot}.{LINUX}.json"));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is malformed", file.display()))?;
        if by_tables && answer.get("error").is_some() {
            return Self::read(machine, false);
        }
        serde_json::from_value(answer).with_context(|| format!("{} is malformed", file.display()))
    }
}

impl Function {
    /// The report's word for the type of function.
    pub(crate) fn report_kind(&self) -> &str {
        match self.kind.as_str() {
            "rciep" => "rc-endpoint",
            "conventional-bridge" => "conventional",
            other => other,
        }
    }
}

fn directory() -> PathBuf {
    output::workspace().join("xtask/linux/expected")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Topology;

    /// Machines on which Linux's answer is a defect of its own, so that ours is in the topology file.
    const DIFFERENT: [&str; 2] = ["pci-bridge", "pcie-pci-bridge"];

    #[test]
    fn every_answer_is_read_and_expected_by_the_topology_of_its_name() {
        let mut seen = 0;
        for entry in fs::read_dir(directory()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(machine) = name.strip_suffix(&format!(".dt.{LINUX}.json")) else { continue };
            Answer::read(machine, false).unwrap();
            Answer::read(machine, true).unwrap();
            let expected = Topology::find(machine).unwrap().expect;
            if DIFFERENT.contains(&machine) {
                assert!(expected.linux.is_none() && !expected.groups.is_empty(), "{machine}");
            } else {
                assert_eq!(expected.linux.as_deref(), Some(machine));
            }
            seen += 1;
        }
        assert_eq!(seen, 25);
    }
}
