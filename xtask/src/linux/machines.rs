//! Which machines a Linux can be booted on, and with which command line.

use anyhow::Result;
use report::Firmware;

use crate::boot::Boot;
use crate::capabilities::Capabilities;
use crate::qemu::Machine;
use crate::topology::Topology;
use crate::when::When;

/// Words for every kernel: a console; the log as it comes, so that a kernel that hangs shows where; an end instead of a
/// reset after a panic; the kernel's choices of configuration that decide about groups' types.
const WORDS: &str = "console=ttyAMA0 earlycon loglevel=7 panic=-1 nokaslr random.trust_cpu=on log_buf_len=4M \
                     iommu.passthrough=0 iommu.strict=1";

/// The word for virtual functions in topologies, and the one of our init.
const OUR_VFS: &str = "sriov=";
const VFS_OF_INIT: &str = "iogroups.vfs=";
/// The word for our init with the number of changes of slots.
const CHANGES_OF_INIT: &str = "iogroups.hotplug=";
/// Words of topologies that Linux has too, with the same meaning.
const OF_LINUX: [&str; 3] = ["iommu.passthrough=", "iommu.strict=", "pci="];

/// A machine for a Linux.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The topology's name, and the route if it is not `dt`.
    pub(super) id: String,
    pub(super) topology: Topology,
    pub(super) firmware: Firmware,
    pub(super) machine: Machine,
    /// The kernel's command line.
    pub(super) command_line: String,
    /// The name under which answers of Linux are recorded: the topology's, if it does not have another one for this QEMU.
    pub(super) recorded_as: String,
}

impl Subject {
    /// The machine of a topology, described by `firmware`; or why a Linux cannot be booted on it.
    pub(super) fn of(
        topology: &Topology,
        firmware: Firmware,
        program: &str,
        append: &str,
    ) -> Result<Self, &'static str> {
        if topology.path != probe::Path::Fixed {
            return Err("is for one probe path of our kernel");
        }
        if topology.has_own_tree() || !topology.tables.is_empty() {
            return Err("has a tree or tables that only our kernel can be given");
        }
        if !topology.patch.is_empty() || topology.race.is_some() || topology.order.is_some() || topology.disk
        {
            return Err("is about our kernel itself");
        }
        let machine = topology.machine(program);
        let has = |word: &str| machine.devices.iter().chain(&machine.options).any(|one| one.contains(word));
        if machine.devices.iter().any(|word| word == "-icount") {
            return Err("is about our kernel itself");
        }
        if firmware.is_acpi() && has("acpi=off") {
            return Err("has no tables");
        }
        if topology.firmware.is_acpi() && !firmware.is_acpi() {
            return Err("is described by tables");
        }
        let mut command_line = format!("{WORDS} acpi={}", if firmware.is_acpi() { "force" } else { "off" });
        for word in topology.append.split_whitespace() {
            match word.strip_prefix(OUR_VFS) {
                Some(count) => command_line += &format!(" {VFS_OF_INIT}{count}"),
                None if OF_LINUX.iter().any(|prefix| word.starts_with(prefix)) => {
                    command_line += &format!(" {word}")
                }
                None => return Err("has words that only our kernel knows"),
            }
        }
        if !topology.hot_plug.is_empty() {
            command_line += &format!(" {CHANGES_OF_INIT}{}", topology.hot_plug.len());
        }
        if !append.is_empty() {
            command_line += &format!(" {append}");
        }
        let id = if firmware == Firmware::Dt {
            topology.name.clone()
        } else {
            format!("{}@{}", topology.name, firmware.word())
        };
        let recorded_as = topology.name.clone();
        Ok(Self { id, topology: topology.clone(), firmware, machine, command_line, recorded_as })
    }

    /// Asks the topology about the name of recorded answers on this QEMU.
    ///
    /// # Errors
    ///
    /// QEMU does not write its device tree, which this may depend on.
    pub(super) fn find_recorded(&mut self, qemu: &Capabilities) -> Result<()> {
        let usual = self.topology.expected_by(self.firmware);
        // A path of Linux: for `fixed` there may be an expectation of its own in place of an answer.
        let on = (self.firmware, probe::Path::Upstream);
        let tree = || Boot::of_topology(&self.topology, &self.machine.program)?.own_tree();
        let (here, _) = When::expected(&self.topology.when, usual.clone(), on, qemu, tree)?;
        if let Some(name) = here.linux.filter(|name| Some(name) != usual.linux.as_ref()) {
            self.recorded_as = name;
        }
        Ok(())
    }

    /// How the names of files with its recorded answers begin; the version of Linux follows.
    pub(super) fn recorded_prefix(&self) -> String {
        let description = if self.firmware.is_acpi() { "acpi" } else { "dt" };
        format!("{}.{description}.", self.recorded_as)
    }
}

#[cfg(test)]
mod tests;
