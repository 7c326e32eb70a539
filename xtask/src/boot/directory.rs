//! The run directory: all that QEMU and the kernel look for in it, and the run there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use report::{Console, Form};
use tempfile::TempDir;

use super::{Boot, PATCHED_IMAGE, Tree};
use crate::image::{self, Kernel};
use crate::outcome::{Outcome, Stop};
use crate::qemu::{self, REPORT_FILE, ReportTo, SCENARIO_FILE, TREE_FILE};
use crate::run::{Log, Run};
use crate::{test_disk, tree_edit};

impl Boot {
    /// Runs QEMU once, in a directory that disappears afterwards.
    ///
    /// # Errors
    ///
    /// The run could not be started; how it ended is in the outcome.
    pub(crate) fn run(
        &self,
        kernel: &Kernel,
        deadline: Option<Duration>,
        log: &Log,
    ) -> Result<Outcome, Stop> {
        self.with_run(kernel, ReportTo::Us, deadline, log, |run| {
            let mut outcome = run.outcome()?;
            test_disk::check(run.directory, self.machine.test_disks(), &mut outcome)?;
            Ok(outcome)
        })
    }

    /// Runs QEMU once and returns the time from its start to its end.
    ///
    /// # Errors
    ///
    /// As [`Run::time`].
    pub(crate) fn time(&self, kernel: &Kernel, deadline: Duration) -> Result<Duration, Stop> {
        self.with_run(kernel, ReportTo::Us, Some(deadline), &Log::Hidden, |run| run.time())
    }

    /// Runs QEMU once with the report in this form, and keeps all that it prints in a file. The report is not read.
    ///
    /// # Errors
    ///
    /// As [`Run::time`].
    pub(crate) fn print(
        &self,
        kernel: &Kernel,
        form: Form,
        deadline: Duration,
        file: &Path,
    ) -> Result<(), Stop> {
        let log = Log::Kept(file.to_owned());
        self.with_run(kernel, ReportTo::Terminal(form), Some(deadline), &log, |run| run.time().map(drop))
    }

    fn with_run<T>(
        &self,
        kernel: &Kernel,
        report: ReportTo,
        deadline: Option<Duration>,
        log: &Log,
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
        let words = self.machine.boot(self.image(kernel), &self.start, report);
        let run = Run {
            words: &words,
            directory: directory.path(),
            deadline,
            status_counts: self.start.console == Console::Semihosting,
            log,
            slot_changes: &self.slot_changes,
        };
        go(&run)
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
        // Semihosting may never open it; an empty file means the same.
        fs::write(directory.join(REPORT_FILE), "")?;
        for (number, (_, bytes)) in self.tables.iter().enumerate() {
            fs::write(directory.join(qemu::table_file(number)), bytes).context("cannot write a table")?;
        }
        test_disk::write(directory, self.machine.test_disks())?;
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
                let blob = self.own_tree.clone().map_or_else(|| self.dump(directory), Ok)?;
                fs::write(&place, tree_edit::apply(&blob, edits)?)?;
            }
        }
        Ok(())
    }

    /// The tree that the kernel would read: QEMU's own, or that with the edits.
    ///
    /// # Errors
    ///
    /// QEMU did not write a tree, or the edits do not fit it.
    pub(crate) fn described_tree(&self) -> Result<Vec<u8>> {
        let directory = self.prepare()?;
        match &self.tree {
            Tree::Own => self.dump(directory.path()),
            _ => fs::read(directory.path().join(TREE_FILE)).context("the tree cannot be read"),
        }
    }

    /// QEMU's own tree for this machine, in a directory that disappears afterwards.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started, or does not write a tree.
    pub(crate) fn own_tree(&self) -> Result<Vec<u8>> {
        let directory = tempfile::Builder::new().prefix("iogroups-").tempdir().context("no run directory")?;
        // QEMU opens the disks of a machine that it only describes, too.
        test_disk::write(directory.path(), self.machine.test_disks())?;
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
        ensure!(dumped.status.success(), "QEMU did not write a device tree: {}", said.trim());
        fs::read(directory.join(TREE_FILE))
            .with_context(|| format!("QEMU wrote no device tree: {}", said.trim()))
    }
}
