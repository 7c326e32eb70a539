//! One boot: from a machine and a kernel to an outcome, and the command `cargo xtask qemu`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use clap::ValueEnum;

use crate::capabilities::Capabilities;
use crate::case::Case;
use crate::choices::{Console, Firmware, Form, Iommu};
use crate::cli::QemuArgs;
use crate::expectation::Expectation;
use crate::image::{self, Kernel, Patch};
use crate::outcome::{Asked, Outcome, Stop};
use crate::output;
use crate::probe_path;
use crate::program;
use crate::qemu::{self, Machine, REPORT_FILE, ReportTo, Rounds, SCENARIO_FILE, Start, TREE_FILE};
use crate::run::Run;
use crate::scenarios::Named;
use crate::setup::{self, Need};
use crate::topology::{self, Topology};
use crate::tree_edit::{self, Edit};

/// Where the tree comes from that the kernel is to read.
#[derive(Clone, Debug, Default)]
pub(crate) enum Tree {
    /// QEMU's own, in x0.
    #[default]
    Own,
    /// QEMU's own with these edits.
    Edited(Vec<Edit>),
    /// The bytes of a file, which need not be a regular one.
    File(PathBuf, Vec<u8>),
}

/// A boot that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    pub(crate) machine: Machine,
    pub(crate) start: Start,
    pub(crate) tree: Tree,
    pub(crate) patches: Vec<Patch>,
    /// ACPI tables of our own: where they come from, and their bytes.
    pub(crate) tables: Vec<(PathBuf, Vec<u8>)>,
    /// Further files in the run directory, by name.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What two CPUs play.
    pub(crate) race: Option<Named>,
    /// How the report is shown; the kernel always writes JSON.
    pub(crate) form: Form,
}

/// Name of an Image with patches, in the run directory.
const PATCHED_IMAGE: &str = "patched.Image";
/// Largest blob that is read for `--dtb`; QEMU's own have 1 MiB.
const TREE_LIMIT: u64 = 16 << 20;

/// The words of `--append`. Those that the tool answers for itself are taken out and mean what the
/// option of their name means.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    /// For the kernel.
    kernel: Vec<String>,
    form: Option<Form>,
    console: Option<Console>,
    firmware: Option<Firmware>,
    path: Option<probe::Path>,
    order: Option<String>,
}

impl Words {
    fn parse(text: &str) -> Result<Self, Stop> {
        let mut words = Self::default();
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "report" => words.form = Some(chosen(word, value)?),
                "console" => words.console = Some(chosen(word, value)?),
                "firmware" => words.firmware = Some(chosen(word, value)?),
                "path" => {
                    let path = probe_path::of_word(value);
                    words.path = Some(path.map_err(|why| Stop::usage(format!("--append: {word}: {why}")))?);
                }
                "order" => words.order = Some(value.to_owned()),
                "dtb" => {
                    let what = "names a file of the guest's host; give the file with --dtb FILE instead";
                    return Err(Stop::usage(format!("--append: {word} {what}")));
                }
                _ => words.kernel.push(word.to_owned()),
            }
        }
        Ok(words)
    }
}

/// The value of a word of `--append`, out of a closed set.
fn chosen<T: ValueEnum>(word: &str, value: &str) -> Result<T, Stop> {
    T::from_str(value, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> =
            names.filter(|name| !name.is_hide_set()).map(|name| name.get_name().to_owned()).collect();
        Stop::usage(format!("--append: {word}: expected {}", names.join(", ")))
    })
}

/// The one value that an option and a word of `--append` agree on.
fn agreed<T: PartialEq>(name: &str, option: Option<T>, word: Option<T>) -> Result<Option<T>, Stop> {
    if option.is_some() && word.is_some() && option != word {
        return Err(Stop::usage(format!("--{name} and {name}= in --append contradict each other")));
    }
    Ok(option.or(word))
}

/// Reads the blob of `option`, from whatever can be read.
fn read_blob(option: &str, file: &Path) -> Result<Vec<u8>, Stop> {
    let mut blob = Vec::new();
    let read = fs::File::open(file).and_then(|open| open.take(TREE_LIMIT + 1).read_to_end(&mut blob));
    read.map_err(|error| Stop::usage(format!("{option}: cannot read {}: {error}", file.display())))?;
    if blob.len() as u64 > TREE_LIMIT {
        let what = format!("has more than the {} MiB that are read", TREE_LIMIT >> 20);
        return Err(Stop::usage(format!("{option}: {} {what}", file.display())));
    }
    Ok(blob)
}

impl Boot {
    /// One boot of a topology.
    ///
    /// # Errors
    ///
    /// As [`Self::of_topology`].
    pub(crate) fn of_case(case: &Case, program: &str) -> Result<Self> {
        let mut boot = Self::of_topology(&case.topology, program)?;
        boot.start.firmware = case.firmware;
        boot.start.path = case.path;
        boot.start.order.clone_from(&case.order);
        Ok(boot)
    }

    /// The boot of a topology as its file describes it.
    ///
    /// # Errors
    ///
    /// A file that it names cannot be read, or is malformed.
    pub(crate) fn of_topology(topology: &Topology, program: &str) -> Result<Self> {
        let edits = topology.edits()?;
        let tree = if edits.is_empty() { Tree::Own } else { Tree::Edited(edits) };
        let read = |file: &PathBuf| {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            anyhow::Ok((file.clone(), bytes))
        };
        let race = topology.race.as_ref().map(|race| Named::read(&race.scenario)).transpose()?;
        Ok(Self {
            machine: topology.machine(program),
            start: Start {
                firmware: topology.firmware,
                disk: topology.disk,
                path: topology.path,
                order: topology.order.clone(),
                console: topology.console,
                own_tree: !matches!(tree, Tree::Own),
                tables: topology.tables.len(),
                race: topology.race.as_ref().map(|race| Rounds { rounds: race.rounds, seed: 0 }),
                append: topology.append.split_whitespace().map(String::from).collect(),
                gdb: false,
            },
            tree,
            patches: topology.patch.clone(),
            tables: topology.tables.iter().map(read).collect::<Result<_>>()?,
            files: Vec::new(),
            race,
            form: Form::default(),
        })
    }

    /// The boot that the options of `cargo xtask qemu` describe.
    fn of_options(options: &QemuArgs, program: &str) -> Result<Self, Stop> {
        let usage = |what: &str| Err(Stop::usage(what));
        let words = Words::parse(options.append.as_deref().unwrap_or_default())?;
        let firmware = agreed("firmware", options.firmware, words.firmware)?;
        let path = agreed("path", options.path, words.path)?;
        let order = agreed("order", options.order.clone(), words.order)?;
        let mut boot = if options.bare {
            let machine = Machine { program: program.to_owned(), ..Machine::default() };
            let (tree, patches) = (Tree::Own, Vec::new());
            let (tables, files, race) = (Vec::new(), Vec::new(), None);
            Self {
                machine,
                start: Start::default(),
                tree,
                patches,
                tables,
                files,
                race,
                form: Form::default(),
            }
        } else {
            let topology =
                Topology::find(&options.topology).map_err(|error| Stop::usage(format!("{error:#}")))?;
            Self::of_topology(&topology, program).map_err(|error| Stop::usage(format!("{error:#}")))?
        };
        boot.start.firmware = firmware.unwrap_or(boot.start.firmware);
        if boot.start.disk && !boot.start.firmware.is_uefi() {
            return usage(topology::NO_DISK);
        }
        boot.start.path = path.unwrap_or(boot.start.path);
        boot.start.order = order.or(boot.start.order);
        boot.machine.options.extend(options.machine.iter().cloned());
        boot.machine.cpu = options.cpu.clone().or(boot.machine.cpu);
        boot.machine.smp = options.smp.or(boot.machine.smp);
        boot.machine.memory = options.memory.clone().or(boot.machine.memory);
        boot.machine.devices.extend(options.qemu_args.iter().cloned());
        match options.iommu {
            Some(Iommu::On) if !boot.machine.has_iommu() => boot.machine.add_iommu(),
            Some(Iommu::Off) => boot.machine.remove_iommu(),
            _ => (),
        }
        boot.start.append.extend(words.kernel);
        boot.start.gdb = options.gdb;
        boot.start.console = agreed("console", options.console, words.console)?.unwrap_or(boot.start.console);
        let form = if options.common.verbose { Form::Verbose } else { Form::Text };
        boot.form = words.form.unwrap_or(form);
        if let Some(file) = &options.dtb {
            boot.tree = Tree::File(file.clone(), read_blob("--dtb", file)?);
            boot.start.own_tree = true;
        }
        if !options.tables.is_empty() && !boot.start.firmware.is_acpi() {
            return usage(
                "--tables: the machine is described by a device tree; --firmware acpi or uefi-acpi has tables",
            );
        }
        for file in &options.tables {
            boot.tables.push((file.clone(), read_blob("--tables", file)?));
        }
        boot.start.tables = boot.tables.len();
        Ok(boot)
    }

    /// What to paste into a shell to get the same boot, with its report on the terminal.
    pub(crate) fn shell_lines(&self, kernel: &Kernel) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.tree {
            Tree::Own => (),
            Tree::File(file, _) if file.is_file() => {
                lines.push(output::shell_line(["cp", &file.display().to_string(), TREE_FILE]));
            }
            Tree::File(file, _) => {
                lines.push(format!("# {TREE_FILE}: the bytes that came from {}", file.display()));
            }
            Tree::Edited(edits) => {
                lines.push(output::shell_line(self.machine.dump_tree()));
                lines.extend(edits.iter().map(|edit| format!("# in {TREE_FILE}: {edit}")));
            }
        }
        for (number, (file, _)) in self.tables.iter().enumerate() {
            lines.push(output::shell_line(["cp", &file.display().to_string(), &qemu::table_file(number)]));
        }
        lines.extend(
            self.race.iter().map(|race| format!("# {SCENARIO_FILE}: scenario {} as JSON", race.name)),
        );
        lines.extend(self.patches.iter().map(|patch| format!("# in {PATCHED_IMAGE}: {patch}")));
        if self.start.disk {
            let image = self.image(kernel).display().to_string();
            let command_line = output::shell_line(["echo", &self.start.command_line(self.to_terminal())]);
            lines.push(output::shell_line(["mkdir", "-p", qemu::DISK_FOLDER]));
            lines.push(output::shell_line(["cp", &image, qemu::DISK_IMAGE]));
            lines.push(format!("{command_line} > {}", qemu::DISK_COMMAND_LINE));
        }
        lines.push(self.qemu_line(kernel));
        lines
    }

    /// Runs QEMU once, in a directory that disappears afterwards.
    ///
    /// # Errors
    ///
    /// The run could not be started; how it ended is in the outcome.
    pub(crate) fn run(
        &self,
        kernel: &Kernel,
        deadline: Option<Duration>,
        live: bool,
    ) -> Result<Outcome, Stop> {
        self.with_run(kernel, deadline, live, |run| run.outcome())
    }

    /// Runs QEMU once and says how long that took, from its start to its end.
    ///
    /// # Errors
    ///
    /// As [`Run::time`].
    pub(crate) fn time(&self, kernel: &Kernel, deadline: Duration) -> Result<Duration, Stop> {
        self.with_run(kernel, Some(deadline), false, |run| run.time())
    }

    fn with_run<T>(
        &self,
        kernel: &Kernel,
        deadline: Option<Duration>,
        live: bool,
        go: impl FnOnce(&Run<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let directory = self.prepare()?;
        if !self.patches.is_empty() {
            let image = image::patched(kernel, &self.patches)?;
            fs::write(directory.path().join(PATCHED_IMAGE), image).context("cannot write the Image")?;
        }
        if self.start.disk {
            self.fill_disk(directory.path(), kernel)?;
        }
        let words = self.machine.boot(self.image(kernel), &self.start, ReportTo::Us);
        let run = Run {
            words: &words,
            directory: directory.path(),
            deadline,
            status_counts: self.start.console == Console::Semihosting,
            live,
        };
        go(&run)
    }

    /// The Image to boot, from the run directory.
    fn image<'a>(&self, kernel: &'a Kernel) -> &'a Path {
        if self.patches.is_empty() { &kernel.image } else { Path::new(PATCHED_IMAGE) }
    }

    /// Puts the Image and its command line where QEMU makes a disk of them.
    fn fill_disk(&self, directory: &Path, kernel: &Kernel) -> Result<()> {
        fs::create_dir_all(directory.join(qemu::DISK_FOLDER)).context("cannot make a disk")?;
        let image = directory.join(self.image(kernel));
        fs::copy(&image, directory.join(qemu::DISK_IMAGE))
            .with_context(|| format!("cannot copy {}", image.display()))?;
        fs::write(directory.join(qemu::DISK_COMMAND_LINE), self.start.command_line(ReportTo::Us) + "\n")
            .context("cannot write the command line")
    }

    /// The run directory with all that QEMU and the kernel will look for in it.
    fn prepare(&self) -> Result<TempDir> {
        let directory = tempfile::Builder::new().prefix("iogroups-").tempdir().context("no run directory")?;
        self.fill(directory.path())?;
        Ok(directory)
    }

    /// Puts all that QEMU and the kernel will look for into `directory`, apart from a patched Image and a disk.
    pub(crate) fn fill(&self, directory: &Path) -> Result<()> {
        // Semihosting may never open it, and then an empty one says the same.
        fs::write(directory.join(REPORT_FILE), "")?;
        for (number, (_, bytes)) in self.tables.iter().enumerate() {
            fs::write(directory.join(qemu::table_file(number)), bytes).context("cannot write a table")?;
        }
        for (name, bytes) in &self.files {
            fs::write(directory.join(name), bytes).with_context(|| format!("cannot write {name}"))?;
        }
        if let Some(race) = &self.race {
            let json = serde_json::to_string(&race.scenario).context("the scenario cannot be written")?;
            fs::write(directory.join(SCENARIO_FILE), json).context("cannot write the scenario")?;
        }
        let place = directory.join(TREE_FILE);
        match &self.tree {
            Tree::Own => (),
            Tree::File(_, blob) => fs::write(&place, blob).context("cannot write the device tree")?,
            Tree::Edited(edits) => {
                let blob = self.dump(directory)?;
                fs::write(&place, tree_edit::apply(&blob, edits)?)?;
            }
        }
        Ok(())
    }

    /// The tree that the kernel would read: QEMU's own, or that with the edits.
    ///
    /// # Errors
    ///
    /// QEMU gives no tree, or the edits do not fit it.
    pub(crate) fn described_tree(&self) -> Result<Vec<u8>> {
        let directory = self.prepare()?;
        match &self.tree {
            Tree::Own => self.dump(directory.path()),
            _ => fs::read(directory.path().join(TREE_FILE)).context("the tree cannot be read"),
        }
    }

    /// The command that runs QEMU, from the run directory, with the report on the terminal.
    pub(crate) fn qemu_line(&self, kernel: &Kernel) -> String {
        output::shell_line(self.machine.boot(self.image(kernel), &self.start, self.to_terminal()))
    }

    fn to_terminal(&self) -> ReportTo {
        ReportTo::Terminal(self.form)
    }

    /// QEMU's own tree for this machine, in a directory that disappears afterwards.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or does not write a tree.
    pub(crate) fn own_tree(&self) -> Result<Vec<u8>> {
        let directory = tempfile::Builder::new().prefix("iogroups-").tempdir().context("no run directory")?;
        self.dump(directory.path())
    }

    /// QEMU's own tree for this machine.
    fn dump(&self, directory: &Path) -> Result<Vec<u8>> {
        let words = self.machine.dump_tree();
        let [program, arguments @ ..] = words.as_slice() else { bail!("there is nothing to run") };
        let dumped = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .output()
            .with_context(|| format!("{program} cannot be started"))?;
        let said = String::from_utf8_lossy(&dumped.stderr);
        ensure!(dumped.status.success(), "QEMU gives no device tree: {}", said.trim());
        fs::read(directory.join(TREE_FILE))
            .with_context(|| format!("QEMU wrote no device tree: {}", said.trim()))
    }
}

/// What the options ask to be run, also where they make no sense together.
pub(crate) fn asked(options: &QemuArgs) -> Asked {
    let words = Words::parse(options.append.as_deref().unwrap_or_default()).unwrap_or_default();
    let topology = (!options.bare).then(|| Topology::find(&options.topology).ok()).flatten();
    let of_topology = topology.map(|topology| (topology.firmware, topology.path)).unwrap_or_default();
    let firmware = options.firmware.or(words.firmware).unwrap_or(of_topology.0);
    let path = options.path.or(words.path).unwrap_or(of_topology.1);
    Asked {
        firmware: Some(firmware.word().into()),
        path: Some(path.word().into()),
        topology: (!options.bare).then(|| options.topology.clone()),
        qemu: Some(program::qemu(options.common.qemu.as_deref())),
    }
}

/// `cargo xtask qemu`.
///
/// # Errors
///
/// There was no run, or QEMU did not start.
pub(crate) fn command(options: &QemuArgs) -> Result<Option<(Outcome, Form)>, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let boot = Boot::of_options(options, &program)?;
    let expectation = Expectation::of_options(options, &boot.start)?;
    if options.dry_run {
        boot.shell_lines(&image::expected(boot.start.binary())).iter().for_each(|line| println!("{line}"));
        return Ok(None);
    }
    let firmware = boot.start.firmware;
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    setup::provide(&needs[..if firmware.is_uefi() { 3 } else { 2 }], &options.common)?;
    let kernel = image::build(boot.start.binary(), options.common.verbose)?;
    if options.common.verbose {
        boot.shell_lines(&kernel).iter().for_each(|line| eprintln!("+ {line}"));
    } else {
        eprintln!(
            "+ {} ... (-v shows all of it)",
            output::shell_line(&boot.machine.boot(&kernel.image, &boot.start, ReportTo::Us)[..3])
        );
    }
    if options.gdb {
        let gdb_line = qemu::gdb_line(&kernel.elf, |name| program::in_path(name).is_some());
        eprintln!("QEMU waits. In another terminal:\n  {}", gdb_line);
    }
    let deadline = (!options.gdb).then(|| Duration::from_secs(options.timeout));
    let expectation = expectation
        .map(|one| one.resolve(&boot.start, |types| Capabilities::ask(&program, types), || boot.own_tree()));
    let expectation = expectation.transpose()?;
    let mut outcome = boot.run(&kernel, deadline, true)?;
    if let Some(expectation) = expectation {
        expectation.apply(&mut outcome);
    }
    Ok(Some((outcome, boot.form)))
}

#[cfg(test)]
mod tests;
