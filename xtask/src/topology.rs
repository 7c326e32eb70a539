//! Machines as data: one TOML file a machine below `xtask/topologies`, with what is expected of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use report::GroupType;
use serde::Deserialize;

use crate::cli::{Console, Firmware, ProbePath};
use crate::image::Patch;
use crate::outcome::Kind;
use crate::output;
use crate::paths::{OnPath, Paths};
use crate::qemu::Machine;
use crate::requirement::Requirement;
use crate::scenarios::Named;
use crate::tree_edit::Edit;
use crate::when::When;

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
    /// Whether UEFI firmware finds the kernel on a FAT disk, and not by `-kernel`.
    #[serde(default)]
    pub(crate) disk: bool,
    /// Which probe path the kernel takes.
    #[serde(default)]
    pub(crate) path: ProbePath,
    /// Options of `-M virt`, as `K=V[,K=V]`.
    pub(crate) machine: Option<String>,
    /// What the machine requires of QEMU beside all that its arguments name. A QEMU that says that it does not have
    /// it skips the boot, visibly.
    #[serde(default)]
    pub(crate) needs: Vec<Requirement>,
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
    /// Files in `topologies/trees` with changes that several machines share; they are made before those of `tree`.
    #[serde(default, deserialize_with = "read_trees")]
    pub(crate) trees: Vec<Vec<Edit>>,
    /// Files in `topologies/tables` with one ACPI table each, in place of QEMU's or beside them.
    #[serde(default, deserialize_with = "read_tables")]
    pub(crate) tables: Vec<(PathBuf, Vec<u8>)>,
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
    pub(crate) also: Option<Vec<Firmware>>,
    /// Orders of devices and drivers in which the machine is booted too, by tree and by tables: groups are the same
    /// in each, but for their numbers.
    #[serde(default)]
    pub(crate) orders: Vec<String>,
    /// The order of this boot, if it is not Linux's.
    pub(crate) order: Option<String>,
    /// What is different about this machine on the paths that Linux took.
    #[serde(default)]
    pub(crate) paths: BTreeMap<ProbePath, OnPath>,
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
    /// By the name of its file.
    #[serde(deserialize_with = "read_scenario")]
    pub(crate) scenario: Named,
    pub(crate) rounds: u64,
}

/// A file in `topologies/trees`.
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
    /// For each reason to fail that must be given, words that are all in it.
    #[serde(default)]
    pub(crate) because: Vec<Vec<String>>,
    /// Invariants that must be broken, by number; the others must hold. The result is then `fail`.
    #[serde(default)]
    pub(crate) breaks: Vec<String>,
    /// Invariants that may be broken or not, as the timing of two CPUs has it.
    #[serde(default)]
    pub(crate) may_break: Vec<String>,
    /// Rounds of a race that there must be.
    #[serde(skip)]
    pub(crate) rounds: Option<u64>,
    /// Type of every group; with a Linux answer, instead of Linux's.
    #[serde(rename = "type")]
    pub(crate) kind: Option<GroupType>,
    /// Type of the group of a device where it is not that of every group, by the device's name.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, GroupType>,
    /// Reserved regions of every group, as Linux lists them.
    pub(crate) reserved: Option<Vec<String>>,
    /// Reserved regions that the group of a device has beside those of every group, by the device's name.
    #[serde(default)]
    pub(crate) also_reserved: BTreeMap<String, Vec<String>>,
    /// Members of the groups in the order of their numbers.
    #[serde(default)]
    pub(crate) groups: Vec<Vec<String>>,
    /// Devices without a group, and how the reason begins.
    #[serde(default)]
    pub(crate) without: BTreeMap<String, String>,
    /// Drivers of devices, by their names; `-` for none. Of others, nothing is expected.
    #[serde(default)]
    pub(crate) drivers: BTreeMap<String, String>,
    /// ACS control registers of functions, by their names. Of others, nothing is expected.
    #[serde(default)]
    pub(crate) acs: BTreeMap<String, String>,
    /// IOMMU instances, in the order in which they arrived.
    pub(crate) iommus: Option<Vec<String>>,
    /// What each of several instances has; one that is not named here may have anything.
    #[serde(default)]
    pub(crate) translated: BTreeMap<String, Translated>,
    /// For each expected finding or error, words that are all in it. A finding of severity warning or
    /// error that is not expected is a failure.
    #[serde(default)]
    pub(crate) findings: Vec<Vec<String>>,
    /// The same for findings that may be there or not: on the paths of Linux, those that `fixed` expects; in a run that
    /// ends with an error, those of every machine of this QEMU.
    #[serde(skip)]
    pub(crate) tolerated: Vec<Vec<String>>,
    /// For each expected warning, a part of it.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// Bound on the guest's instructions from reset to the report. With `-icount shift=0` each is a
    /// nanosecond of the report's time.
    pub(crate) instructions_below: Option<u64>,
    /// The groups of a saved report, in place of `groups`, with their types and regions.
    #[serde(skip)]
    pub(crate) of_report: Option<Vec<report::Group>>,
    /// Whether groups may have any numbers, and IOMMUs come in any order.
    #[serde(skip)]
    pub(crate) any_numbers: bool,
    /// What the run's facts must be.
    #[serde(default)]
    pub(crate) run: ExpectedRun,
}

/// What one IOMMU instance must have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Translated {
    /// Every device that it translates.
    pub(crate) devices: Vec<String>,
    /// Reserved regions of the groups behind it, as Linux lists them, if they are not those of every group.
    #[serde(default)]
    pub(crate) reserved: Vec<String>,
}

/// Facts about the run that show that the machine was the one meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedRun {
    /// Exception level at entry.
    pub(crate) exception_level: Option<u8>,
    /// CPUs that firmware describes.
    pub(crate) cpus: Option<u32>,
    /// RAM that firmware describes, in MiB.
    pub(crate) memory_mib: Option<u64>,
    /// Names of devices that must be there, in a group or not: a host bridge's says where its ECAM is.
    #[serde(default)]
    pub(crate) devices: Vec<String>,
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
            "there is no topology {name} in {} and no such file; `cargo xtask test --list` shows the names",
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
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).with_context(|| format!("{} is malformed", file.display()))
    }

    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let mut topology: Self = toml::from_str(text)?;
        topology.name = name.to_owned();
        for expect in core::iter::once(&mut topology.expect).chain(&mut topology.expect_acpi) {
            expect.rounds = topology.race.as_ref().map(|race| race.rounds);
        }
        topology.tree.splice(..0, core::mem::take(&mut topology.trees).into_iter().flatten());
        if let Some(repeat) = &topology.repeat {
            // A bus has 32 slots of eight functions.
            ensure!(repeat.count.div_ceil(8) + repeat.first_slot <= 32, "repeat.count does not fit on a bus");
        }
        for word in topology.append.split_whitespace() {
            let is_ours =
                ["report=", "console=", "dtb=", "path=", "order="].iter().any(|name| word.starts_with(name));
            let what = "`console`, `[[tree]]`, `path` and `orders` say this; the report is JSON";
            ensure!(!is_ours, "append: {word}: {what}");
        }
        let routes = core::iter::once(&topology.firmware).chain(topology.also.iter().flatten());
        ensure!(!topology.disk || routes.into_iter().all(|route| route.is_uefi()), NO_DISK);
        ensure!(
            topology.expect.instructions_below.is_none() || topology.args.contains("shift=0"),
            "instructions_below needs `-icount shift=0,sleep=off` in args: only then does time count them"
        );
        Ok(topology)
    }

    /// The topology once for each route, and each probe path, on which it is booted.
    ///
    /// What a device tree alone has is not expected of tables: its names of devices, the whole of RAM.
    pub(crate) fn on_all_routes(self, paths: &Paths) -> Vec<Self> {
        let asked = self.expect.linux.is_some() && self.firmware == Firmware::Dt && self.tree.is_empty();
        let usual: &[Firmware] = if asked { &[Firmware::Acpi, Firmware::UefiAcpi] } else { &[] };
        let further = self.also.clone().unwrap_or_else(|| usual.to_vec());
        let on = |firmware: Firmware| {
            let mut route = self.clone();
            route.name = format!("{}@{}", self.name, firmware.word());
            route.firmware = firmware;
            if firmware.is_acpi() {
                route.expect = self.expect_acpi.clone().unwrap_or(route.expect);
                route.expect.run.devices.clear();
                route.expect.run.memory_mib = None;
            }
            route
        };
        let further: Vec<Self> = further.into_iter().map(on).collect();
        let on_paths = paths.routes(&self);
        let mut routes: Vec<Self> = core::iter::once(self).chain(further).collect();
        let shuffled: Vec<Self> = routes.iter().flat_map(Self::in_all_orders).collect();
        routes.extend(shuffled.into_iter().chain(on_paths));
        routes
    }

    /// The topology once for each order of devices and drivers in which it is booted, if firmware does not slow it.
    fn in_all_orders(&self) -> Vec<Self> {
        let in_order = |order: &String| {
            let mut route = self.clone();
            route.name = format!("{}@{order}", self.name);
            route.order = Some(order.clone());
            route.expect.any_numbers = true;
            route
        };
        let orders = self.orders.iter().filter(|_| !self.firmware.is_uefi());
        orders.map(in_order).collect()
    }

    /// All that the machine requires of QEMU.
    pub(crate) fn requirements(&self) -> Vec<Requirement> {
        let derived = Requirement::of_machine(&self.machine(""));
        self.needs.iter().cloned().chain(derived).collect()
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

/// Reads the files that a topology names.
fn read_tables<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<(PathBuf, Vec<u8>)>, D::Error> {
    let read = |name: String| {
        let file = directory().join("tables").join(name);
        let bytes = fs::read(&file);
        bytes
            .map(|bytes| (file.clone(), bytes))
            .map_err(|error| serde::de::Error::custom(format!("cannot read {}: {error}", file.display())))
    };
    Vec::deserialize(from)?.into_iter().map(read).collect()
}

/// Reads the scenario that a topology names.
fn read_scenario<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Named, D::Error> {
    Named::find(&String::deserialize(from)?).map_err(|stop| serde::de::Error::custom(stop.message))
}

/// Reads the shared changes that a topology names.
fn read_trees<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Vec<Edit>>, D::Error> {
    let read = |name: String| {
        let file = directory().join("trees").join(name);
        let read = fs::read_to_string(&file).map_err(anyhow::Error::from);
        let shared = read.and_then(|text| Ok(toml::from_str::<SharedTree>(&text)?));
        shared
            .map(|shared| shared.tree)
            .map_err(|error| serde::de::Error::custom(format!("cannot read {}: {error}", file.display())))
    };
    Vec::deserialize(from)?.into_iter().map(read).collect()
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
        let all: Vec<Topology> =
            Topology::all(&directory()).unwrap().into_iter().map(Result::unwrap).collect();
        assert!(all.len() > 25, "{}", all.len());
        assert!(all.iter().all(|topology| !topology.probes.is_empty()));
    }

    #[test]
    fn a_misspelt_field_is_an_error_that_names_it() {
        let error = Topology::parse("x", "probes = \"\"\nmachin = \"a=b\"\n").unwrap_err();
        assert!(error.to_string().contains("machin"), "{error}");
    }

    #[test]
    fn shared_edits_are_made_before_those_of_the_file() {
        let text = "probes = \"\"\ntrees = [\"pxb-host-bridge.toml\"]\n\
                    [[tree]]\nedit = \"delete-node\"\nnode = \"/last\"\n";
        let tree = Topology::parse("x", text).unwrap().tree;
        assert!(tree.len() > 1, "{tree:?}");
        assert!(matches!(tree.last(), Some(Edit::DeleteNode { node }) if node == "/last"), "{tree:?}");
        let error = Topology::parse("x", &text.replace("pxb-host", "no-host")).unwrap_err();
        assert!(error.to_string().contains("no-host-bridge.toml"), "{error}");
    }

    #[test]
    fn firmware_has_the_words_of_the_command_line() {
        let firmware = |word| Topology::parse("x", &format!("probes = \"\"\nfirmware = \"{word}\"\n"));
        assert_eq!(firmware("uefi-dt").unwrap().firmware, Firmware::UefiDt);
        assert_eq!(firmware("uefi-acpi").unwrap().firmware, Firmware::UefiAcpi);
        assert!(firmware("bios").is_err());
    }

    #[test]
    fn a_malformed_file_costs_itself_only_and_says_file_and_line() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.toml"), "probes = \"\"\n").unwrap();
        fs::write(place.path().join("b.toml"), "probes = \"\"\nargs = [\n").unwrap();
        fs::write(place.path().join("c.toml"), "probes = \"\"\n").unwrap();
        let all = Topology::all(place.path()).unwrap();
        assert!(all[0].is_ok() && all[2].is_ok());
        let malformed = all[1].as_ref().unwrap_err();
        assert_eq!(malformed.name, "b");
        assert!(malformed.why.contains("b.toml") && malformed.why.contains("line "), "{}", malformed.why);
    }

    #[test]
    fn words_that_have_a_field_of_their_own_are_refused_in_append() {
        assert!(Topology::parse("x", "probes = \"\"\nappend = \"a console=pl011\"\n").is_err());
    }

    #[test]
    fn a_disk_needs_firmware_that_reads_it_on_every_route() {
        let parse = |text: &str| Topology::parse("x", &format!("probes = \"\"\ndisk = true\n{text}\n"));
        assert!(parse("firmware = \"uefi-acpi\"\nalso = [\"uefi-dt\"]").unwrap().disk);
        assert!(parse("").is_err());
        assert!(parse("firmware = \"uefi-acpi\"\nalso = [\"acpi\"]").is_err());
    }

    #[test]
    fn each_order_is_a_boot_by_tree_and_by_tables() {
        let text =
            "probes = \"\"\nalso = [\"acpi\", \"uefi-acpi\"]\norders = [\"seed:1\", \"*,virtio-iommu\"]\n";
        let routes = Topology::parse("x", text).unwrap().on_all_routes(&Paths::read().unwrap());
        let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
        let shuffled = ["x@seed:1", "x@*,virtio-iommu", "x@acpi@seed:1", "x@acpi@*,virtio-iommu"];
        assert_eq!(names, [&["x", "x@acpi", "x@uefi-acpi"][..], &shuffled].concat());
        assert_eq!(routes[4].order.as_deref(), Some("*,virtio-iommu"));
        assert!(routes[4].expect.any_numbers && !routes[1].expect.any_numbers);
    }

    #[test]
    fn a_bound_on_instructions_needs_the_clock_that_counts_them() {
        let text = "probes = \"\"\nargs = \"-icount shift=0,sleep=off\"\n[expect]\ninstructions_below = 5\n";
        assert!(Topology::parse("x", text).is_ok());
        assert!(Topology::parse("x", &text.replace("shift=0", "shift=1")).is_err());
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
