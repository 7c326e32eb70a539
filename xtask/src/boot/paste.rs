//! A boot as lines to paste into a shell.

use super::{Boot, PATCHED_IMAGE, Tree};
use dma::test_disk::SECTORS;

use crate::image::Kernel;
use crate::output;
use crate::qemu::{self, ReportTo, SCENARIO_FILE, TREE_FILE};

impl Boot {
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
        for drive in self.machine.test_disks() {
            lines
                .push(format!("# {drive}: a disk of {} sectors with the content of dma::test_disk", SECTORS));
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

    /// The command that runs QEMU, from the run directory, with the report on the terminal.
    pub(crate) fn qemu_line(&self, kernel: &Kernel) -> String {
        output::shell_line(self.machine.boot(self.image(kernel), &self.start, self.to_terminal()))
    }

    fn to_terminal(&self) -> ReportTo {
        ReportTo::Terminal(self.form)
    }
}
