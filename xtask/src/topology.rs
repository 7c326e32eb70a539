//! Machines as data: one TOML file a machine below `xtask/topologies`, with what is expected of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use report::GroupType;
use serde::Deserialize;

use crate::cli::{Console, Firmware};
use crate::image::Patch;
use crate::outcome::Kind;
use crate::output;
use crate::qemu::Machine;
use crate::tree_edit::Edit;

/// One machine, and what its boot is expected to give.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topology {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(crate) name: String,
    /// What the machine shows, in one sentence.
    pub(crate) probes: String,
    /// Where the description of the machine comes from.
    #[serde(default)]
    pub(crate) firmware: Firmware,
    /// Options of `-M virt`, as `K=V[,K=V]`.
    pub(crate) machine: Option<String>,
    /// An option of `-M virt` that not every QEMU has; without it the boot is left out, visibly.
    pub(crate) needs: Option<String>,
    /// CPU model.
    pub(crate) cpu: Option<String>,
    /// Number of CPUs.
    pub(crate) smp: Option<u32>,
    /// RAM.
    pub(crate) memory: Option<String>,
    /// QEMU arguments that make the devices, separated by blanks.
    #[serde(default)]
    pub(crate) args: String,
    /// Arguments that are repeated after `args`.
    pub(crate) repeat: Option<Repeat>,
    /// Words for the kernel's command line.
    #[serde(default)]
    pub(crate) append: String,
    /// What carries the report.
    #[serde(default)]
    pub(crate) console: Console,
    /// Changes to QEMU's own device tree, in this order.
    #[serde(default)]
    pub(crate) tree: Vec<Edit>,
    /// Defects put into the Image.
    #[serde(default)]
    pub(crate) patch: Vec<Patch>,
    /// Seconds after which the run is stopped, if not those of the command line.
    pub(crate) timeout: Option<u64>,
    /// What the boot must give.
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// The same arguments several times, eight functions to a slot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    /// How often.
    pub(crate) count: u32,
    /// Arguments, in which `{slot:x}` and `{fn}` are replaced.
    pub(crate) args: String,
    /// Slot of the first eight.
    pub(crate) first_slot: u32,
}

/// What a boot must give. A topology without groups and without a Linux answer expects no group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The machine under `xtask/linux/expected` whose answer this one must equal.
    pub(crate) linux: Option<String>,
    /// How the run must end.
    #[serde(default)]
    pub(crate) result: Kind,
    /// Type of every group; with a Linux answer, instead of Linux's.
    #[serde(rename = "type")]
    pub(crate) kind: Option<GroupType>,
    /// Reserved regions of every group, as Linux lists them.
    pub(crate) reserved: Option<Vec<String>>,
    /// Members of the groups in the order of their numbers.
    #[serde(default)]
    pub(crate) groups: Vec<Vec<String>>,
    /// Devices without a group, and how the reason begins.
    #[serde(default)]
    pub(crate) without: BTreeMap<String, String>,
    /// IOMMU instances.
    pub(crate) iommus: Option<Vec<String>>,
    /// For each expected finding or error, words that are all in it. A finding of severity warning or
    /// error that is not expected is a failure.
    #[serde(default)]
    pub(crate) findings: Vec<Vec<String>>,
    /// For each expected warning, a part of it.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// What the run's facts must be.
    #[serde(default)]
    pub(crate) run: ExpectedRun,
}

/// Facts about the run that show that the machine was the one meant.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedRun {
    /// Exception level at entry.
    pub(crate) exception_level: Option<u8>,
    /// CPUs that firmware describes.
    pub(crate) cpus: Option<u32>,
    /// RAM that firmware describes, in MiB.
    pub(crate) memory_mib: Option<u64>,
}

impl Topology {
    /// Reads the topology `name`: one of ours, or a file.
    ///
    /// # Errors
    ///
    /// There is no such topology or file, or it is malformed; the error names line and column.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let ours = directory().join(format!("{name}.toml"));
        if !name.contains('/') && ours.is_file() {
            return Self::read(&ours);
        }
        let file = PathBuf::from(name);
        ensure!(
            file.is_file(),
            "there is no topology {name} in {} and no such file; `cargo xtask test --list` shows the names",
            directory().display()
        );
        Self::read(&file)
    }

    /// Every topology of ours, in the order of their names.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let place = directory();
        let entries = fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).with_context(|| format!("{} is malformed", file.display()))
    }

    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let mut topology: Self = toml::from_str(text)?;
        topology.name = name.to_owned();
        let word = topology.firmware.word();
        ensure!(topology.firmware.is_understood(), "firmware = {word:?}: the kernel does not read it yet");
        if let Some(repeat) = &topology.repeat {
            // A bus has 32 slots of eight functions.
            ensure!(repeat.count.div_ceil(8) + repeat.first_slot <= 32, "repeat.count does not fit on a bus");
        }
        Ok(topology)
    }

    /// The machine for QEMU to make.
    pub(crate) fn machine(&self, program: &str) -> Machine {
        let mut devices: Vec<String> = self.args.split_whitespace().map(String::from).collect();
        for number in 0..self.repeat.as_ref().map_or(0, |repeat| repeat.count) {
            devices.extend(self.repeat.iter().flat_map(|repeat| repeat.arguments(number)));
        }
        Machine {
            program: program.to_owned(),
            options: self.machine.iter().cloned().collect(),
            cpu: self.cpu.clone(),
            smp: self.smp,
            memory: self.memory.clone(),
            devices,
        }
    }
}

impl Repeat {
    fn arguments(&self, number: u32) -> Vec<String> {
        let slot = format!("{:x}", self.first_slot + number / 8);
        let place = |word: &str| word.replace("{slot:x}", &slot).replace("{fn}", &(number % 8).to_string());
        self.args.split_whitespace().map(place).collect()
    }
}

/// Where our topologies are.
pub(crate) fn directory() -> PathBuf {
    output::workspace().join("xtask/topologies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_of_ours_is_well_formed() {
        let all = Topology::all().unwrap();
        assert!(all.len() > 25, "{}", all.len());
        assert!(all.iter().all(|topology| !topology.probes.is_empty()));
    }

    #[test]
    fn a_misspelt_field_is_an_error_that_names_it() {
        let error = Topology::parse("x", "probes = \"\"\nmachin = \"a=b\"\n").unwrap_err();
        assert!(error.to_string().contains("machin"), "{error}");
    }

    #[test]
    fn firmware_has_the_words_of_the_command_line() {
        let firmware = |word| Topology::parse("x", &format!("probes = \"\"\nfirmware = \"{word}\"\n"));
        assert_eq!(firmware("uefi-dt").unwrap().firmware, Firmware::UefiDt);
        assert!(firmware("uefi-acpi").unwrap_err().to_string().contains("uefi-acpi"));
        assert!(firmware("bios").is_err());
    }

    #[test]
    fn repeated_arguments_fill_slot_after_slot() {
        let text = "probes = \"\"\nargs = \"-device a\"\n[repeat]\ncount = 9\nfirst_slot = 0xf\n\
                    args = \"-device b,addr={slot:x}.{fn}\"\n";
        let devices = Topology::parse("x", text).unwrap().machine("qemu").devices;
        assert_eq!(devices[2..4], ["-device", "b,addr=f.0"]);
        assert_eq!(devices[16..20], ["-device", "b,addr=f.7", "-device", "b,addr=10.0"]);
    }

    #[test]
    fn more_functions_than_a_bus_has_are_refused() {
        let text = "probes = \"\"\n[repeat]\ncount = 249\nfirst_slot = 1\nargs = \"\"\n";
        assert!(Topology::parse("x", text).is_err());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_where_we_looked() {
        let error = Topology::find("no-such-machine").unwrap_err();
        assert!(error.to_string().contains("topologies"), "{error}");
    }
}
