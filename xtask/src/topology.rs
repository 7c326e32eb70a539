//! Machines as data: one TOML file a machine below `xtask/topologies`, with what is expected of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use report::{Console, Firmware};
use serde::Deserialize;

use crate::choices;
use crate::expect::Expect;
use crate::hot_plug::SlotChange;
use crate::image::Patch;
use crate::output;
use crate::qemu::Machine;
use crate::requirement::Requirement;
use crate::tree_edit::Edit;
use crate::when::When;

mod on_path;

pub(crate) use on_path::{Deviation, OnPath};

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
    #[serde(default, deserialize_with = "choices::deserialize")]
    pub(crate) firmware: Firmware,
    /// Whether UEFI firmware finds the kernel on a FAT disk, and not by `-kernel`.
    #[serde(default)]
    pub(crate) disk: bool,
    /// Which probe path the kernel takes.
    #[serde(default, deserialize_with = "choices::deserialize")]
    pub(crate) path: probe::Path,
    /// Options of `-M virt`, as `K=V[,K=V]`.
    pub(crate) machine: Option<String>,
    /// What the machine requires of QEMU in addition to what its arguments show. A QEMU that reports that it does not have
    /// it skips the boot, visibly.
    #[serde(default)]
    pub(crate) needs: Vec<Requirement>,
    /// CPU model.
    pub(crate) cpu: Option<String>,
    /// Number of CPUs.
    pub(crate) smp: Option<u32>,
    /// RAM.
    pub(crate) memory: Option<String>,
    /// QEMU arguments that make the devices; in the file, a text as for a shell.
    #[serde(default, deserialize_with = "shell_words")]
    pub(crate) args: Vec<String>,
    /// Arguments that are repeated after `args`.
    pub(crate) repeat: Option<Repeat>,
    /// Words for the kernel's command line.
    #[serde(default)]
    pub(crate) append: String,
    /// What carries the report.
    #[serde(default, deserialize_with = "choices::deserialize")]
    pub(crate) console: Console,
    /// Changes to QEMU's own device tree, in this order.
    #[serde(default)]
    pub(crate) tree: Vec<Edit>,
    /// Files with changes that several machines share; they are made before those of `tree`.
    #[serde(default)]
    pub(crate) trees: Vec<PathBuf>,
    /// Files with one ACPI table each, in place of QEMU's or beside them.
    #[serde(default)]
    pub(crate) tables: Vec<PathBuf>,
    /// Devices that are plugged in and out while the kernel runs, in this order.
    #[serde(default)]
    pub(crate) hot_plug: Vec<SlotChange>,
    /// Defects put into the Image.
    #[serde(default)]
    pub(crate) patch: Vec<Patch>,
    /// A scenario that two CPUs play.
    pub(crate) race: Option<Race>,
    /// Whether no other boot may run at the same time: its CPUs must really run at once on the host's.
    #[serde(default)]
    pub(crate) alone: bool,
    /// Seconds after which the run is stopped, if not those of the command line.
    pub(crate) timeout: Option<u64>,
    /// Further routes on which the machine is booted; if the file does not say, those on which Linux has
    /// been asked too.
    #[serde(default, deserialize_with = "choices::list")]
    pub(crate) also: Option<Vec<Firmware>>,
    /// Orders of devices and drivers in which the machine is booted too, by tree and by tables: groups are the same
    /// in each, but for their numbers.
    #[serde(default)]
    pub(crate) orders: Vec<String>,
    /// The order of this boot, if it is not Linux's.
    pub(crate) order: Option<String>,
    /// What is different about this machine on the paths that Linux took.
    #[serde(default, deserialize_with = "choices::table")]
    pub(crate) paths: BTreeMap<probe::Path, OnPath>,
    /// What the boot must give.
    #[serde(default)]
    pub(crate) expect: Expect,
    /// What it must give instead where the description is in ACPI tables.
    #[serde(rename = "expect-acpi")]
    pub(crate) expect_acpi: Option<Expect>,
    /// What it must give on some QEMUs, in this order.
    #[serde(default)]
    pub(crate) when: Vec<When>,
}

/// A scenario, and how often it is played.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Race {
    /// Its file.
    pub(crate) scenario: PathBuf,
    pub(crate) rounds: u64,
}

/// A file of `trees`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedTree {
    tree: Vec<Edit>,
}

/// The same arguments several times, eight functions to a slot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    /// How often.
    pub(crate) count: u32,
    /// Arguments, in which `{slot:x}` and `{fn}` are replaced.
    #[serde(deserialize_with = "shell_words")]
    pub(crate) args: Vec<String>,
    /// Slot of the first eight.
    pub(crate) first_slot: u32,
}

/// A topology file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// As of a [`Topology`].
    pub(crate) name: String,
    /// File, line, and what is wrong there.
    pub(crate) why: String,
}

/// Why there is no disk on a route.
pub(crate) const NO_DISK: &str = "disk: only UEFI firmware starts a kernel from a disk";

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
            "{name} is neither a topology in {} nor a file; `cargo xtask test --list` lists the topologies",
            directory().display()
        );
        Self::read(&file)
    }

    /// Every topology below `place`, in the order of their names. One that is malformed costs itself only.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub(crate) fn all(place: &Path) -> Result<Vec<Result<Self, Malformed>>> {
        let entries = fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        let read = |file: &PathBuf| {
            Self::read(file).map_err(|error| Malformed {
                name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                why: format!("{error:#}"),
            })
        };
        Ok(files.iter().map(read).collect())
    }

    fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::of_text(file, &text).with_context(|| format!("{} is malformed", file.display()))
    }

    /// The topology `name` as if it were one of ours.
    #[cfg(test)]
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        Self::of_text(&directory().join(format!("{name}.toml")), text)
    }

    /// Reads the text of a file. Files that it names are relative to it.
    fn of_text(file: &Path, text: &str) -> Result<Self> {
        let mut topology: Self = toml::from_str(text)?;
        topology.name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let place = file.parent().unwrap_or(Path::new(""));
        let race = topology.race.iter_mut().map(|race| &mut race.scenario);
        for named in topology.trees.iter_mut().chain(&mut topology.tables).chain(race) {
            *named = place.join(&*named);
        }
        for expect in core::iter::once(&mut topology.expect).chain(&mut topology.expect_acpi) {
            expect.rounds = topology.race.as_ref().map(|race| race.rounds);
        }
        if let Some(repeat) = &topology.repeat {
            // A bus has 32 slots of eight functions.
            ensure!(repeat.count.div_ceil(8) + repeat.first_slot <= 32, "repeat.count does not fit on a bus");
        }
        for word in topology.append.split_whitespace() {
            let is_ours =
                ["report=", "console=", "dtb=", "path=", "order="].iter().any(|name| word.starts_with(name));
            let what =
                "use the keys `console`, `[[tree]]`, `path` and `orders` for this; the report is always JSON";
            ensure!(!is_ours, "append: {word}: {what}");
        }
        let routes = core::iter::once(&topology.firmware).chain(topology.also.iter().flatten());
        ensure!(!topology.disk || routes.into_iter().all(|route| route.is_uefi()), NO_DISK);
        ensure!(
            topology.expect.instructions_below.is_none()
                || topology.args.iter().any(|word| word.contains("shift=0")),
            "instructions_below needs `-icount shift=0,sleep=off` in args: only then does time count them"
        );
        Ok(topology)
    }

    /// What is expected where the machine is described so.
    pub(crate) fn expected_by(&self, firmware: Firmware) -> &Expect {
        self.expect_acpi.as_ref().filter(|_| firmware.is_acpi()).unwrap_or(&self.expect)
    }

    /// Whether QEMU's own device tree is changed.
    pub(crate) fn has_own_tree(&self) -> bool {
        !self.trees.is_empty() || !self.tree.is_empty()
    }

    /// The changes of QEMU's own device tree: those of `trees`, then those of `tree`.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is malformed.
    pub(crate) fn edits(&self) -> Result<Vec<Edit>> {
        let mut edits = Vec::new();
        for file in &self.trees {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let shared: SharedTree =
                toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))?;
            edits.extend(shared.tree);
        }
        edits.extend(self.tree.iter().cloned());
        Ok(edits)
    }

    /// All that the machine requires of QEMU.
    pub(crate) fn requirements(&self) -> Vec<Requirement> {
        self.requirements_of(&self.machine(""))
    }

    /// All that the topology requires of QEMU if this is its machine.
    pub(crate) fn requirements_of(&self, machine: &Machine) -> Vec<Requirement> {
        let derived = Requirement::of_machine(machine);
        self.needs.iter().cloned().chain(derived).collect()
    }

    /// The machine for QEMU to make.
    pub(crate) fn machine(&self, program: &str) -> Machine {
        let mut devices = self.args.clone();
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
        let place =
            |word: &String| word.replace("{slot:x}", &slot).replace("{fn}", &(number % 8).to_string());
        self.args.iter().map(place).collect()
    }
}

/// Reads a text as the words that a shell would make of it.
fn shell_words<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(from)?;
    shlex::split(&text)
        .ok_or_else(|| serde::de::Error::custom("a quote is not closed, or nothing follows a backslash"))
}

/// Where our topologies are.
pub(crate) fn directory() -> PathBuf {
    output::workspace().join("xtask/topologies")
}

#[cfg(test)]
mod tests;
