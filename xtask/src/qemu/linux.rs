//! The command that boots a Linux kernel.

use std::path::Path;

use super::Machine;
use crate::firmware;

/// RAM for a Linux: its Image, its initramfs, and what it needs to unpack them.
const MEMORY: &str = "1G";

/// A Linux kernel, and how it is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinuxStart<'a> {
    pub(crate) image: &'a Path,
    pub(crate) initramfs: &'a Path,
    pub(crate) command_line: &'a str,
    /// Whether UEFI firmware starts it, with ACPI tables; else QEMU does, with a device tree.
    pub(crate) by_tables: bool,
    /// Whether devices are plugged in and out while it runs.
    pub(crate) has_slot_changes: bool,
}

impl Machine {
    /// The command that boots a Linux on this machine. The serial port is QEMU's standard output.
    pub(crate) fn boot_linux(&self, start: &LinuxStart<'_>) -> Vec<String> {
        let further: &[String] = if start.by_tables { &[] } else { &["acpi=off".to_owned()] };
        // The machine's own size of RAM is for our kernel, which needs less.
        let machine = Self { memory: Some(MEMORY.into()), ..self.clone() };
        let mut words = machine.base(further);
        if start.by_tables {
            words.extend(["-bios".into(), firmware::expected(&self.program).display().to_string()]);
        }
        let path = |path: &Path| path.display().to_string();
        words.extend(["-kernel".into(), path(start.image), "-initrd".into(), path(start.initramfs)]);
        words.extend(["-append".into(), start.command_line.to_owned()]);
        words.extend(["-chardev", "stdio,id=uart,signal=off", "-serial", "chardev:uart"].map(String::from));
        if start.has_slot_changes {
            words.extend(super::slot_sockets());
        }
        self.add_devices(&mut words);
        words
    }
}
