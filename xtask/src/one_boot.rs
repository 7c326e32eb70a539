//! `cargo xtask qemu`: boots once, on the machine that the options describe.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use report::Form;

use crate::boot::{Boot, Tree};
use crate::capabilities::Capabilities;
use crate::choices::Iommu;
use crate::cli::QemuArgs;
use crate::expectation::Expectation;
use crate::image;
use crate::known_deviations::KnownDeviations;
use crate::outcome::{Asked, Outcome, Stop};
use crate::output;
use crate::program;
use crate::qemu::{self, KernelStart, Machine, ReportTo};
use crate::run::Log;
use crate::setup::{self, Need};
use crate::topology::{self, Topology};

mod append;

use append::{Words, agreed};

/// Largest blob that is read for `--dtb`; QEMU's own have 1 MiB.
const TREE_LIMIT: u64 = 16 << 20;

/// What the options ask to be run, also where they make no sense together.
pub(crate) fn asked(options: &QemuArgs) -> Asked {
    let words = Words::parse(options.append.as_deref().unwrap_or_default()).unwrap_or_default();
    let topology = (!options.bare).then(|| Topology::find(options.topology()).ok()).flatten();
    let of_topology = topology.map(|topology| (topology.firmware, topology.path)).unwrap_or_default();
    let firmware = options.firmware.or(words.firmware).unwrap_or(of_topology.0);
    let path = options.path.or(words.path).unwrap_or(of_topology.1);
    Asked {
        firmware: Some(firmware.word().into()),
        path: Some(path.word().into()),
        topology: (!options.bare).then(|| options.topology().to_owned()),
        qemu: Some(program::qemu(options.common.qemu.as_deref())),
    }
}

/// `cargo xtask qemu`.
///
/// # Errors
///
/// There was no run, or QEMU did not start.
pub(crate) fn command(options: &QemuArgs) -> Result<Option<(Outcome, Form)>, Stop> {
    run(options, &Log::Shown)
}

/// What `cargo xtask qemu` does with these options. None after a dry run.
///
/// # Errors
///
/// As [`command`].
pub(crate) fn run(options: &QemuArgs, log: &Log) -> Result<Option<(Outcome, Form)>, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let mut boot = boot_of(options, &program)?;
    let expectation = Expectation::of_options(options, &boot.start)?;
    if options.dry_run {
        boot.shell_lines(&image::expected(boot.start.binary())).iter().for_each(|line| println!("{line}"));
        return Ok(None);
    }
    let firmware = boot.start.firmware;
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    setup::provide(&needs[..if firmware.is_uefi() { 3 } else { 2 }], &options.common)?;
    let kernel = image::build(boot.start.binary(), options.common.verbose)?;
    let known = if boot.start.has_suite() {
        let (known, qemu) = (KnownDeviations::read()?, Capabilities::ask(&program, &BTreeSet::new())?);
        boot.start.append.extend(known.hazards_word(&boot.start, &qemu));
        Some((known, qemu))
    } else {
        None
    };
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
    let mut outcome = boot.run(&kernel, deadline, log)?;
    if let Some((known, qemu)) = &known {
        known.judge(&boot.start, &mut outcome, qemu);
    }
    if let Some(expectation) = expectation {
        expectation.apply(&mut outcome);
    }
    Ok(Some((outcome, boot.form)))
}

/// The boot that the options of `cargo xtask qemu` describe.
fn boot_of(options: &QemuArgs, program: &str) -> Result<Boot, Stop> {
    let usage = |what: &str| Err(Stop::usage(what));
    let words = Words::parse(options.append.as_deref().unwrap_or_default())?;
    let firmware = agreed("firmware", options.firmware, words.firmware)?;
    let path = agreed("path", options.path, words.path)?;
    let order = agreed("order", options.order.clone(), words.order)?;
    let mut boot = if options.bare {
        let machine = Machine { program: program.to_owned(), ..Machine::default() };
        Boot::of_machine(machine, KernelStart::default())
    } else {
        let topology =
            Topology::find(options.topology()).map_err(|error| Stop::usage(format!("{error:#}")))?;
        Boot::of_topology(&topology, program).map_err(|error| Stop::usage(format!("{error:#}")))?
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
    boot.start.append.extend(options.dma.then(|| "dma=on".to_owned()));
    boot.start.append.extend(options.suite.as_ref().map(|suite| format!("suite={suite}")));
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

#[cfg(test)]
mod tests;
