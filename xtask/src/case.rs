//! The boots of a topology: one for each route, order and probe path.

use std::sync::Arc;

use anyhow::Result;
use report::Firmware;

use crate::answer::LinuxAnswer;
use crate::choices::{Choice as _, Iommu};
use crate::expect::Expect;
use crate::outcome::Kind;
use crate::paths::Paths;
use crate::requirement::Requirement;
use crate::results::BootFacts;
use crate::topology::Topology;
use crate::when::When;

/// One boot of a topology, and what it must give.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What it is called: the topology's name, and what is different from the boot that the file describes. It is printed
    /// and searched for words; nothing else depends on it.
    pub(crate) id: String,
    pub(crate) topology: Arc<Topology>,
    /// Where the description of the machine comes from.
    pub(crate) firmware: Firmware,
    /// Which probe path the kernel takes.
    pub(crate) path: probe::Path,
    /// Whether the machine has a virtio-iommu.
    pub(crate) iommu: Iommu,
    /// The order of devices and drivers, if it is not Linux's.
    pub(crate) order: Option<String>,
    /// What it must give on every QEMU.
    pub(crate) expect: Expect,
}

/// Why a device has no group where nothing translates.
const NO_IOMMU: &str = "no IOMMU in this machine";

/// Every boot of a topology.
pub(crate) fn cases(topology: Topology, paths: &Paths) -> Vec<Case> {
    let usual = Case::usual(topology);
    let further: Vec<Case> = further_routes(&usual.topology).map(|route| usual.on_route(route)).collect();
    let answered = paths.answered(&usual.topology);
    let of_linux: Vec<Case> =
        answered.into_iter().map(|(path, firmware)| usual.on_path(path, firmware, paths)).collect();
    let mut all: Vec<Case> = std::iter::once(usual).chain(further).collect();
    let shuffled: Vec<Case> = all.iter().flat_map(Case::in_all_orders).collect();
    let without_iommu: Vec<Case> = all.iter().filter_map(Case::without_iommu).collect();
    all.extend(shuffled.into_iter().chain(of_linux).chain(without_iommu));
    all
}

/// Routes besides the one in the file: those that it names, or those on which Linux has been asked too.
fn further_routes(topology: &Topology) -> impl Iterator<Item = Firmware> + use<> {
    let is_asked = topology.expect.linux.is_some() && topology.firmware == Firmware::Dt;
    let usual: &[Firmware] =
        if is_asked && !topology.has_own_tree() { &[Firmware::Acpi, Firmware::UefiAcpi] } else { &[] };
    topology.also.clone().unwrap_or_else(|| usual.to_vec()).into_iter()
}

impl Case {
    /// The boot that the file describes.
    pub(crate) fn usual(topology: Topology) -> Self {
        let has_iommu = topology.machine("").has_iommu();
        Self {
            id: topology.name.clone(),
            iommu: if has_iommu { Iommu::On } else { Iommu::Off },
            firmware: topology.firmware,
            path: topology.path,
            order: topology.order.clone(),
            expect: topology.expect.clone(),
            topology: Arc::new(topology),
        }
    }

    /// The same on another route.
    ///
    /// What a device tree alone has is not expected of tables: its names of devices, the whole of RAM.
    fn on_route(&self, firmware: Firmware) -> Self {
        let mut expect = self.topology.expected_by(firmware).clone();
        if firmware.is_acpi() {
            expect.run.devices.clear();
            expect.run.memory_mib = None;
        }
        Self { id: format!("{}@{}", self.id, firmware.word()), firmware, expect, ..self.clone() }
    }

    /// The same once for each order of devices and drivers in which it is booted, if firmware does not slow it.
    fn in_all_orders(&self) -> Vec<Self> {
        let orders = self.topology.orders.iter().filter(|_| !self.firmware.is_uefi());
        let in_order = |order: &String| Self {
            id: format!("{}@{order}", self.id),
            order: Some(order.clone()),
            expect: Expect { any_numbers: true, ..self.expect.clone() },
            ..self.clone()
        };
        orders.map(in_order).collect()
    }

    /// The same on a path and a route on which its Linux has answered.
    fn on_path(&self, path: probe::Path, firmware: Firmware, paths: &Paths) -> Self {
        let route = match firmware {
            Firmware::Dt => String::new(),
            other => format!("-{}", other.word()),
        };
        let id = format!("{}@{}{route}", self.id, path.word());
        let expect = paths.expect(&self.topology, path, firmware);
        Self { id, firmware, path, expect, ..self.clone() }
    }

    /// The same machine without its virtio-iommu: no device has a group. None if firmware makes the boot slow, or if the
    /// topology says more of its boot than groups.
    fn without_iommu(&self) -> Option<Self> {
        let Topology { tables, patch, race, append, hot_plug, .. } = &*self.topology;
        let is_plain = tables.is_empty()
            && patch.is_empty()
            && race.is_none()
            && append.is_empty()
            && hot_plug.is_empty();
        let is_quiet = self.expect.result == Kind::Pass && self.expect.findings.is_empty();
        let has_one = self.iommu == Iommu::On && !self.topology.has_own_tree();
        let is_quick = !self.firmware.is_uefi();
        (has_one && is_plain && is_quiet && is_quick && self.path == probe::Path::Fixed).then(|| Self {
            id: format!("{}@no-iommu", self.id),
            iommu: Iommu::Off,
            expect: Expect {
                iommus: Some(Vec::new()),
                without_others: Some(NO_IOMMU),
                warnings: self.expect.warnings.clone(),
                ..Expect::default()
            },
            ..self.clone()
        })
    }

    /// Whether it is the machine of its topology without the IOMMU that the topology gives it.
    fn has_lost_its_iommu(&self) -> bool {
        self.iommu == Iommu::Off && self.topology.machine("").has_iommu()
    }

    /// All that the machine requires of QEMU.
    pub(crate) fn requirements(&self) -> Vec<Requirement> {
        let mut machine = self.topology.machine("");
        if self.has_lost_its_iommu() {
            machine.remove_iommu();
        }
        self.topology.requirements_of(&machine)
    }

    /// How the topology changes what is expected on some QEMUs: what its IOMMU gives.
    pub(crate) fn changes(&self) -> &[When] {
        if self.has_lost_its_iommu() { &[] } else { &self.topology.when }
    }

    /// Where it is in the matrix. What is kept of it is not known yet.
    pub(crate) fn facts(&self) -> BootFacts {
        BootFacts {
            topology: self.topology.name.clone(),
            probes: self.topology.probes.clone(),
            firmware: self.firmware.word().into(),
            path: self.path.word().into(),
            iommu: self.iommu.word().into(),
            order: self.order.clone(),
            qemu_seconds: 0.0,
            log: None,
            report: None,
        }
    }

    /// What Linux answers for the machine: several answers if it varies, and our own path must not. Empty if it is not
    /// compared.
    ///
    /// # Errors
    ///
    /// There is no such answer, or it is malformed.
    pub(crate) fn answers(&self, expect: &Expect, paths: &Paths) -> Result<Vec<LinuxAnswer>> {
        let by_tables = self.firmware.is_acpi();
        let linux = paths.linux(self.path);
        match &expect.linux {
            None => Ok(Vec::new()),
            Some(machine) if self.path == probe::Path::Fixed => {
                Ok(vec![LinuxAnswer::read_any(machine, by_tables, linux)?])
            }
            Some(machine) => Ok(LinuxAnswer::read(machine, by_tables, linux)?.alternatives()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_is_a_boot_by_tree_and_by_tables() {
        let text =
            "probes = \"\"\nalso = [\"acpi\", \"uefi-acpi\"]\norders = [\"seed:1\", \"*,virtio-iommu\"]\n";
        let routes = cases(Topology::parse("x", text).unwrap(), &Paths::read().unwrap());
        let names: Vec<&str> = routes.iter().map(|route| route.id.as_str()).collect();
        let shuffled = ["x@seed:1", "x@*,virtio-iommu", "x@acpi@seed:1", "x@acpi@*,virtio-iommu"];
        assert_eq!(names, [&["x", "x@acpi", "x@uefi-acpi"][..], &shuffled].concat());
        assert_eq!(routes[4].order.as_deref(), Some("*,virtio-iommu"));
        assert!(routes[4].expect.any_numbers && !routes[1].expect.any_numbers);
    }
    #[test]
    fn a_plain_machine_is_booted_without_its_iommu_too_and_then_no_device_has_a_group() {
        let off = |text: &str| {
            let topology = Topology::parse("x", &format!("probes = \"\"\n{text}")).unwrap();
            let mut all = cases(topology, &Paths::read().unwrap());
            all.retain(|case| case.iommu == Iommu::Off);
            all
        };
        let args = "args = \"-device virtio-iommu-pci,aw-bits=32 -device e1000e\"\n";
        let plain = off(&format!("{args}also = [\"acpi\", \"uefi-acpi\"]\n[expect]\ngroups = [[\"a\"]]\n"));
        let names: Vec<&str> = plain.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(names, ["x@no-iommu", "x@acpi@no-iommu"]);
        assert!(plain[0].expect.groups.is_empty() && plain[0].expect.without_others == Some(NO_IOMMU));
        let boot = crate::boot::Boot::of_case(&plain[0], "qemu").unwrap();
        assert_eq!(boot.machine.devices, ["-device", "e1000e"]);
        let types: Vec<_> = plain[0].requirements();
        assert!(!format!("{types:?}").contains("aw-bits"), "{types:?}");
        assert_eq!(off(&format!("{args}append = \"dma=on\"\n")).len(), 0);
        // It never had one: the boot of the file is the one without.
        let [usual] = &off("args = \"-device e1000e\"\n")[..] else { panic!() };
        assert_eq!(usual.id, "x");
    }
}
