//! The QEMU command line: a value, so that it can be shown, run and tested.

use std::path::Path;

use report::{Console, FULL_IMAGE_WORDS, Firmware, Form};

use crate::hot_plug::{QMP_SOCKET, QTEST_SOCKET};
use crate::image::Binary;
use crate::{firmware, output, test_disk};

/// File in the run directory that semihosting writes the report to.
pub(crate) const REPORT_FILE: &str = "report.json";
/// File in the run directory from which the kernel reads a tree that replaces QEMU's. QEMU itself
/// would rewrite a tree that it is given, and refuse a broken one.
pub(crate) const TREE_FILE: &str = "tree.dtb";

/// File in the run directory from which the kernel reads a scenario.
pub(crate) const SCENARIO_FILE: &str = "scenario.json";

/// Directory in the run directory that QEMU shows as a FAT disk.
pub(crate) const DISK: &str = "disk";
/// Where UEFI firmware looks for what to start on a removable disk (UEFI 2.10, section 3.5.1.1): the directory,
/// and the file in it.
pub(crate) const DISK_FOLDER: &str = "disk/EFI/BOOT";
pub(crate) const DISK_IMAGE: &str = "disk/EFI/BOOT/BOOTAA64.EFI";
/// The kernel's command line on the disk, where firmware starts it without load options.
pub(crate) const DISK_COMMAND_LINE: &str = "disk/iogroups.txt";

/// What cannot be left to a topology, and what a topology leaves out.
pub(crate) const DEFAULT_CPU: &str = "cortex-a57";
pub(crate) const DEFAULT_MEMORY: &str = "512M";

/// A machine for QEMU to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Binary, by path or name.
    pub(crate) program: String,
    /// Options of `-M virt`, each `K=V[,K=V]`.
    pub(crate) options: Vec<String>,
    /// Model; `cortex-a57` if empty.
    pub(crate) cpu: Option<String>,
    /// Number of CPUs.
    pub(crate) smp: Option<u32>,
    /// RAM.
    pub(crate) memory: Option<String>,
    /// Arguments that make devices.
    pub(crate) devices: Vec<String>,
}

/// How the kernel is started on a machine, and how it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelStart {
    /// Who starts it, and with which description of the machine.
    pub(crate) firmware: Firmware,
    /// Whether firmware finds it on a disk ([`DISK`]), and not by `-kernel`.
    pub(crate) disk: bool,
    /// Which probe path it takes.
    pub(crate) path: probe::Path,
    /// In which order it adds devices and registers drivers; Linux's, if none.
    pub(crate) order: Option<String>,
    /// What carries the report.
    pub(crate) console: Console,
    /// Whether [`TREE_FILE`] replaces QEMU's tree.
    pub(crate) own_tree: bool,
    /// How many files [`table_file`] there are with ACPI tables.
    pub(crate) tables: usize,
    /// How often two CPUs play the scenario in [`SCENARIO_FILE`]; there is none, if none.
    pub(crate) race: Option<Rounds>,
    /// How many changes of slots there are while it runs.
    pub(crate) slot_changes: usize,
    /// Words for the kernel's command line.
    pub(crate) append: Vec<String>,
    /// Whether to wait for a debugger.
    pub(crate) gdb: bool,
}

/// Rounds of a scenario on two CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounds {
    /// How many.
    pub(crate) rounds: u64,
    /// Where pauses come from.
    pub(crate) seed: u64,
}

/// Where the report of a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportTo {
    /// [`REPORT_FILE`], or a line on the serial port: JSON for this program to read.
    Us,
    /// The terminal, in the form for people who paste the command into a shell.
    Terminal(Form),
}

/// Name of an ACPI table of our own, in the run directory.
pub(crate) fn table_file(number: usize) -> String {
    format!("table-{number}")
}

impl KernelStart {
    /// Whether the guest has semihosting. With the report on the serial port it has none, so that
    /// the other way out is used; only files of our own cannot be read without it.
    pub(crate) fn has_semihosting(&self) -> bool {
        self.console == Console::Semihosting || self.own_tree || self.tables > 0 || self.race.is_some()
    }

    /// The binary that knows all words of the command line.
    pub(crate) fn binary(&self) -> Binary {
        let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
        let needs_full = |word: &String| FULL_IMAGE_WORDS.contains(&name(word).as_str());
        if self.race.is_some() || self.slot_changes > 0 || self.append.iter().any(needs_full) {
            Binary::Full
        } else {
            Binary::Main
        }
    }

    /// Whether it runs suites in the guest.
    pub(crate) fn has_suite(&self) -> bool {
        self.append.iter().any(|word| word.starts_with("suite="))
    }

    /// The kernel's command line.
    pub(crate) fn command_line(&self, report: ReportTo) -> String {
        let form = match report {
            ReportTo::Us => Form::Json,
            ReportTo::Terminal(form) => form,
        };
        let form = format!("{}={}", Form::NAME, form.word());
        let console = format!("{}={}", Console::NAME, self.console.word());
        let tree = format!("dtb={TREE_FILE}");
        let tables: Vec<String> = (0..self.tables).map(table_file).collect();
        let tables = format!("tables={}", tables.join(","));
        let mut words: Vec<&str> = self.append.iter().map(String::as_str).collect();
        // The kernel uses the last occurrence of a word. Without these words, there is no report.
        words.extend([form.as_str(), &console]);
        let path = format!("path={}", self.path.word());
        if self.path != probe::Path::default() {
            words.push(&path);
        }
        let order = self.order.as_ref().map(|order| format!("order={order}"));
        words.extend(order.as_deref());
        if self.own_tree {
            words.push(&tree);
        }
        if self.tables > 0 {
            words.push(&tables);
        }
        let race = self
            .race
            .map(|Rounds { rounds, seed }| format!("race={SCENARIO_FILE} rounds={rounds} seed={seed}"));
        words.extend(race.as_deref());
        let slot_changes = format!("hotplug={}", self.slot_changes);
        if self.slot_changes > 0 {
            words.push(&slot_changes);
        }
        // On the other routes, the kernel knows the source from how it was started.
        let firmware = format!("{}={}", Firmware::NAME, self.firmware.word());
        if self.firmware == Firmware::Acpi {
            words.push(&firmware);
        }
        words.join(" ")
    }
}

impl Machine {
    /// Whether one of its devices is a virtio-iommu.
    pub(crate) fn has_iommu(&self) -> bool {
        self.devices.iter().any(|argument| is_iommu(argument))
    }

    /// Adds a virtio-iommu with QEMU's defaults, before all other devices.
    pub(crate) fn add_iommu(&mut self) {
        self.devices.splice(0..0, ["-device".into(), "virtio-iommu-pci".into()]);
    }

    /// Takes every virtio-iommu away.
    pub(crate) fn remove_iommu(&mut self) {
        let mut kept = Vec::new();
        for argument in self.devices.drain(..) {
            if is_iommu(&argument) && kept.last().is_some_and(|last| last == "-device") {
                kept.pop();
            } else {
                kept.push(argument);
            }
        }
        self.devices = kept;
    }

    /// The command that boots `image`; it wants to run in the run directory.
    pub(crate) fn boot(&self, image: &Path, start: &KernelStart, report: ReportTo) -> Vec<String> {
        // UEFI firmware hands over the device tree only where there are no ACPI tables.
        let further: &[String] =
            if start.firmware == Firmware::UefiDt { &["acpi=off".to_owned()] } else { &[] };
        let mut words = self.base(further);
        if start.firmware.is_uefi() {
            words.extend(["-bios".into(), firmware::expected(&self.program).display().to_string()]);
        }
        if start.disk {
            words.extend(disk());
        } else {
            words.extend(["-kernel".into(), image.display().to_string()]);
            words.extend(["-append".into(), start.command_line(report)]);
        }
        words.extend(["-chardev", "stdio,id=uart,signal=off", "-serial", "chardev:uart"].map(String::from));
        if start.has_semihosting() {
            // Without a chardev, what the guest writes by semihosting is on QEMU's standard error.
            let mut semihosting = "enable=on,target=native".to_owned();
            if report == ReportTo::Us {
                words.extend(["-chardev".into(), format!("file,id=report,path={REPORT_FILE}")]);
                semihosting += ",chardev=report";
            }
            words.extend(["-semihosting-config".into(), semihosting]);
        }
        if start.slot_changes > 0 {
            words.extend(slot_sockets());
        }
        if start.gdb {
            words.extend(["-s", "-S"].map(String::from));
        }
        self.add_devices(&mut words);
        words
    }

    /// The command that writes the machine's device tree to a file in the run directory.
    pub(crate) fn dump_tree(&self) -> Vec<String> {
        let mut words = self.base(&[format!("dumpdtb={TREE_FILE}")]);
        self.add_devices(&mut words);
        words
    }

    /// The machine with its devices, and nothing that starts on it.
    pub(crate) fn alone(&self) -> Vec<String> {
        let mut words = self.base(&[]);
        self.add_devices(&mut words);
        words
    }

    fn base(&self, further: &[String]) -> Vec<String> {
        let mut machine = vec!["virt".to_owned()];
        machine.extend(self.options.iter().chain(further).cloned());
        let mut words = vec![self.program.clone(), "-M".into(), machine.join(",")];
        words.extend(["-cpu".into(), self.cpu.clone().unwrap_or_else(|| DEFAULT_CPU.into())]);
        words.extend(["-smp".into(), self.smp.unwrap_or(1).to_string()]);
        words.extend(["-m".into(), self.memory.clone().unwrap_or_else(|| DEFAULT_MEMORY.into())]);
        words.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(String::from));
        words.extend(["-display", "none", "-nic", "none"].map(String::from));
        words
    }

    /// Devices, and a disk for each drive that they refer to and that no argument defines.
    fn add_devices(&self, words: &mut Vec<String>) {
        for drive in self.missing_drives() {
            let option = match drive.starts_with(test_disk::NAME) {
                true => test_disk::option(drive),
                false => format!("driver=null-co,read-zeroes=on,node-name={drive}"),
            };
            words.extend(["-blockdev".into(), option]);
        }
        words.extend(self.devices.iter().cloned());
    }

    /// The disks with known content.
    pub(crate) fn test_disks(&self) -> impl Iterator<Item = &str> {
        self.missing_drives().into_iter().filter(|drive| drive.starts_with(test_disk::NAME))
    }

    fn missing_drives(&self) -> Vec<&str> {
        let mut made = Vec::new();
        let mut named = Vec::new();
        for property in self.devices.iter().flat_map(|argument| argument.split(',')) {
            match property.split_once('=') {
                Some(("drive", drive)) if !named.contains(&drive) => named.push(drive),
                Some(("id" | "node-name", name)) => made.push(name),
                _ => (),
            }
        }
        named.retain(|drive| !made.contains(drive));
        named
    }
}

/// The disk. It is on virtio-mmio, where each `virt` machine has room, so that PCI has no function more; and
/// firmware tries nothing else first, no network either.
fn disk() -> impl Iterator<Item = String> {
    let drive = format!("if=none,id=esp,format=raw,readonly=on,file=fat:{DISK}");
    let device = "virtio-blk-device,drive=esp,bootindex=0";
    ["-drive", &drive, "-device", device, "-boot", "menu=on,splash-time=0"].map(String::from).into_iter()
}

/// The sockets by which devices are plugged in and out, in the run directory.
fn slot_sockets() -> impl Iterator<Item = String> {
    let socket = |name: &str| format!("unix:{name},server=on,wait=off");
    let (qmp, qtest) = (socket(QMP_SOCKET), socket(QTEST_SOCKET));
    ["-qmp", &qmp, "-qtest", &qtest, "-qtest-log", "none"].map(String::from).into_iter()
}

/// Whether an argument of `-device` is a virtio-iommu, of either transport.
fn is_iommu(argument: &str) -> bool {
    let driver = argument.split(',').next().unwrap_or_default();
    ["virtio-iommu-pci", "virtio-iommu-device"].contains(&driver.strip_prefix("driver=").unwrap_or(driver))
}

/// Where QEMU's `virt` puts an Image without a text offset: the first 2 MiB of RAM are its boot loader's
/// (seen with QEMU 7.2 and 10.0).
const LOAD_ADDRESS: u64 = 0x4020_0000;

/// Debuggers that may know aarch64, the likeliest first.
const DEBUGGERS: [&str; 3] = ["gdb-multiarch", "aarch64-linux-gnu-gdb", "gdb"];

/// The gdb command that meets a kernel that waits, with the first debugger that `is_there`. The ELF is
/// linked at 0.
pub(crate) fn gdb_line(elf: &Path, is_there: impl Fn(&str) -> bool) -> String {
    let debugger = DEBUGGERS.into_iter().find(|name| is_there(name)).unwrap_or(DEBUGGERS[0]);
    let symbols = format!("add-symbol-file {} -o {LOAD_ADDRESS:#x}", elf.display());
    output::shell_line([debugger, "-ex", &symbols, "-ex", "target remote :1234"])
}

mod linux;

pub(crate) use linux::LinuxStart;

#[cfg(test)]
mod tests;
