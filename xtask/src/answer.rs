//! What real Linux kernels answered: `xtask/linux/expected`, one file a machine, description and version.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use report::GroupType;
use serde::Deserialize;
use serde_json::Value;

use crate::output;

/// How Linux's answers, and our expectations, say that a function has no driver.
pub(crate) const NO_DRIVER: &str = "-";

/// One kernel's answer for one machine. What is not compared is not read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LinuxAnswer {
    /// Groups in the order of their numbers.
    pub(crate) groups: Vec<Group>,
    /// PCI functions in no group.
    pub(crate) without_group: Vec<Function>,
    /// IOMMU instances.
    pub(crate) iommus: Vec<Instance>,
    /// Lines of the log that matter here.
    pub(crate) dmesg: Vec<String>,
    /// Where Linux answers differently from run to run: the partitions that it gave, this one among them.
    #[serde(default)]
    one_of: Vec<Vec<Vec<String>>>,
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
    /// `-` if there is none.
    pub(crate) driver: String,
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

/// What Linux prints where a device is grouped although its driver is already there (`__iommu_probe_device`);
/// before it are the driver's and the device's name.
pub(crate) const LATE_PROBE: &str = "late IOMMU probe at driver bind";

impl LinuxAnswer {
    /// The answer of the Linux of `version` for `machine`, described by ACPI tables or by a device tree.
    ///
    /// # Errors
    ///
    /// There is none, or it is malformed.
    pub(crate) fn read(machine: &str, by_tables: bool, version: &str) -> Result<Self> {
        let file = file(machine, by_tables, version);
        serde_json::from_value(value(&file)?).with_context(|| format!("{} is malformed", file.display()))
    }

    /// As [`Self::read`]; where that Linux did not get so far with tables, its answer for the tree counts for both,
    /// but for the log: what it says of a tree it does not say of tables.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn read_any(machine: &str, by_tables: bool, version: &str) -> Result<Self> {
        if by_tables && !Self::exists(machine, by_tables, version) {
            let answer = Self::read(machine, false, version)?;
            return Ok(Self { dmesg: Vec::new(), ..answer });
        }
        Self::read(machine, by_tables, version)
    }

    /// Whether that Linux was asked, and got so far as to answer.
    pub(crate) fn exists(machine: &str, by_tables: bool, version: &str) -> bool {
        value(&file(machine, by_tables, version)).is_ok_and(|answer| answer.get("error").is_none())
    }

    /// Whether any Linux was asked for this machine.
    pub(crate) fn exists_for(machine: &str) -> bool {
        let prefix = format!("{machine}.");
        let entries = fs::read_dir(directory()).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| name.starts_with(&prefix))
    }

    /// All answers that Linux gives for this machine, in one run or another; mostly there is one.
    pub(crate) fn alternatives(self) -> Vec<Self> {
        if self.one_of.is_empty() {
            return vec![self];
        }
        self.one_of.iter().map(|partition| self.with_partition(partition)).collect()
    }

    /// The answer if the groups were these: whoever is in none of them is neither translated nor warned of.
    fn with_partition(&self, partition: &[Vec<String>]) -> Self {
        let grouped: BTreeSet<&str> = partition.iter().flatten().map(String::as_str).collect();
        let is_grouped = |name: &str| grouped.contains(name);
        let mut other = self.clone();
        other.groups.retain(|group| {
            let members: Vec<&String> = group.devices.iter().map(|device| &device.bdf).collect();
            partition.iter().any(|wanted| wanted.iter().collect::<Vec<_>>() == members)
        });
        let left = self.groups.iter().flat_map(|group| &group.devices);
        other.without_group.extend(left.filter(|device| !is_grouped(&device.bdf)).cloned());
        for instance in &mut other.iommus {
            instance.devices.retain(|name| is_grouped(name));
        }
        other.dmesg.retain(|line| late_device(line).is_none_or(is_grouped));
        other
    }

    /// The lines of the log with these words.
    pub(crate) fn lines(&self, words: &str) -> impl Iterator<Item = &str> {
        self.dmesg.iter().map(String::as_str).filter(move |line| line.contains(words))
    }
}

/// The device of a warning that it was grouped late.
pub(crate) fn late_device(line: &str) -> Option<&str> {
    line.split_once(&format!(": {LATE_PROBE}"))?.0.split_whitespace().nth(1)
}

fn file(machine: &str, by_tables: bool, version: &str) -> PathBuf {
    let description = if by_tables { "acpi" } else { "dt" };
    directory().join(format!("{machine}.{description}.{version}.json"))
}

fn value(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is malformed", file.display()))
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
    use crate::paths::Paths;
    use crate::topology::{self, Topology};
    use crate::when::When;

    /// Machines on which Linux's answer is a defect of its own, so that what `fixed` must give is in the topology.
    const DIFFERENT: [&str; 2] = ["pci-bridge", "pcie-pci-bridge"];

    #[test]
    fn every_answer_is_read_and_expected_by_the_topology_of_its_name() {
        let paths = Paths::read().unwrap();
        let (mut seen, mut without) = (0, Vec::new());
        let topologies = Topology::all(&topology::directory()).unwrap();
        let changes: Vec<When> = topologies.into_iter().flat_map(|topology| topology.unwrap().when).collect();
        for entry in fs::read_dir(directory()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let parts: Vec<&str> = name.splitn(3, '.').collect();
            let [machine, description, version] = parts[..] else { panic!("{name}") };
            let version = version.strip_suffix(".json").unwrap();
            let by_tables = description == "acpi";
            assert!(probe::Path::ALL.iter().any(|path| paths.linux(*path) == version), "{name} is of no use");
            if LinuxAnswer::exists(machine, by_tables, version) {
                let alternatives = LinuxAnswer::read(machine, by_tables, version).unwrap().alternatives();
                assert!(alternatives.iter().all(|answer| !answer.iommus.is_empty()) || machine == "no-iommu");
            } else {
                without.push((machine.to_owned(), by_tables));
            }
            if let Ok(Topology { expect, .. }) = Topology::find(machine) {
                if DIFFERENT.contains(&machine) {
                    assert!(expect.linux.is_none() && !expect.groups.is_empty(), "{machine}");
                } else {
                    assert_eq!(expect.linux.as_deref(), Some(machine));
                }
            } else {
                // An answer that counts on some QEMUs only.
                assert!(changes.iter().any(|when| when.linux() == Some(machine)), "{machine}");
            }
            seen += 1;
        }
        // More than 25 machines, described in two ways, and three Linuxes.
        assert!(seen > 150, "{seen}");
        // Debian's kernels panic there with tables.
        assert_eq!(without, vec![("gic-v3-no-its".to_owned(), true); 3]);
    }

    #[test]
    fn where_linux_did_not_get_so_far_with_tables_the_tree_speaks_for_fixed() {
        assert!(LinuxAnswer::read("gic-v3-no-its", true, "7.3.4").is_err());
        assert_eq!(LinuxAnswer::read_any("gic-v3-no-its", true, "7.3.4").unwrap().groups.len(), 3);
    }

    #[test]
    fn an_answer_that_varies_is_all_of_its_answers() {
        let answer = LinuxAnswer::read("pxb", false, "6.16.3").unwrap();
        assert_eq!(answer.lines(LATE_PROBE).count(), 1);
        let [grouped, none] = &answer.alternatives()[..] else { panic!() };
        assert_eq!((grouped.groups.len(), grouped.lines(LATE_PROBE).count()), (1, 1));
        assert_eq!(grouped.iommus[0].devices, ["0000:00:03.0"]);
        assert_eq!((none.groups.len(), none.lines(LATE_PROBE).count()), (0, 0));
        assert_eq!(none.iommus[0].devices, [""; 0]);
        assert_eq!(none.without_group.len(), grouped.without_group.len() + 1);
        assert_eq!(LinuxAnswer::read("flat", false, "6.16.3").unwrap().alternatives().len(), 1);
    }
}
