//! The machines whose trees and tables are damaged, and what QEMU has for each.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use report::Firmware;

use super::tables::{self, Files};
use super::{qtest, tree};
use crate::boot::{Boot, Tree};
use crate::image::Kernel;
use crate::outcome::{Outcome, Stop};
use crate::run::Log;
use crate::topology::Topology;

/// Topologies that are damaged if nobody names others: an IOMMU on PCI, on virtio-mmio, both, and an SMMUv3; root buses,
/// switches, several host bridges. One with a tree of its own has no tables, and the other way round.
pub(super) const USUAL: [&str; 8] = [
    "default",
    "pxb",
    "switch",
    "acpi-smmuv3",
    "mmio-iommu",
    "multi-iommu",
    "acpi-viot-mmio",
    "acpi-multi-iommu",
];

/// Most changes of one description.
const CHANGES: u32 = 3;

/// Draws of one change until a kind applies.
const DRAWS: u32 = 64;

/// A machine on one route, with its description as QEMU has it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) firmware: Firmware,
    boot: Boot,
    original: Original,
    /// How it ends without any damage.
    pub(super) whole: Outcome,
}

enum Original {
    Tree(Vec<u8>),
    Tables(Files),
}

impl Subject {
    /// Whether the machine of `topology` is described the way that `firmware` has it.
    pub(super) fn exists(topology: &Topology, firmware: Firmware) -> bool {
        if firmware.is_acpi() { !topology.has_own_tree() } else { topology.tables.is_empty() }
    }

    /// The machine of `topology`, started by `firmware`; also boots it once as it is.
    ///
    /// # Errors
    ///
    /// QEMU gives no description of it, or it cannot be booted.
    pub(super) fn new(
        topology: &Topology,
        firmware: Firmware,
        program: &str,
        kernel: &Kernel,
        deadline: Duration,
    ) -> Result<Self, Stop> {
        let mut boot = Boot::of_topology(topology, program)?;
        boot.start.firmware = firmware;
        let original = if firmware.is_acpi() {
            let files = qtest::acpi_files(&boot.machine.alone()).context("the ACPI tables cannot be read")?;
            Original::Tables(files)
        } else {
            let mut blob = boot.described_tree()?;
            tree::normalise(&mut blob);
            Original::Tree(blob)
        };
        let name = format!("{}@{}", topology.name, firmware.word());
        let whole = Outcome::without_report(crate::outcome::Kind::Error, String::new());
        let mut this = Self { name, firmware, boot, original, whole };
        this.whole = this.undamaged().run(kernel, Some(deadline), &Log::Hidden)?;
        Ok(this)
    }

    fn undamaged(&self) -> Boot {
        match &self.original {
            Original::Tree(blob) => self.with_tree(blob.clone()),
            Original::Tables(_) => self.boot.clone(),
        }
    }

    /// A boot with a description that `rng` has damaged, and how.
    pub(super) fn damaged(&self, rng: &mut Rng) -> (Boot, Vec<String>) {
        let changes = rng.u32(1..=CHANGES);
        match &self.original {
            Original::Tree(blob) => {
                let mut blob = blob.clone();
                let how = drawn(changes, || tree::damage(rng, &mut blob));
                (self.with_tree(blob), how)
            }
            // UEFI firmware reads what QEMU offers itself, and its own faults are not ours to find.
            Original::Tables(files) if self.firmware.is_uefi() || rng.u8(0..3) == 0 => {
                let mut boot = self.boot.clone();
                let how = drawn(changes, || {
                    let own = boot.tables.len();
                    let place = if own > 0 && rng.bool() { rng.usize(..own) } else { own };
                    let whole = boot.tables.get(place).map(|(_, bytes)| bytes.clone());
                    let (table, how) = tables::damaged_table(rng, whole, files)?;
                    if place == own {
                        boot.tables.push((PathBuf::from("table"), table));
                    } else {
                        boot.tables[place].1 = table;
                    }
                    Some(how)
                });
                boot.start.tables = boot.tables.len();
                (boot, how)
            }
            Original::Tables(files) => {
                let mut files = files.clone();
                let how = drawn(changes, || tables::damage(rng, &mut files));
                (self.with_files(&files), how)
            }
        }
    }

    fn with_tree(&self, blob: Vec<u8>) -> Boot {
        let mut boot = self.boot.clone();
        boot.tree = Tree::File(PathBuf::from("damaged.dtb"), blob);
        boot.start.own_tree = true;
        boot
    }

    /// QEMU makes no tables of its own, and offers these.
    fn with_files(&self, files: &Files) -> Boot {
        let mut boot = self.boot.clone();
        boot.machine.options.push("acpi=off".into());
        for (item, file, bytes) in [
            ("etc/acpi/tables", "acpi-tables", &files.tables),
            ("etc/acpi/rsdp", "acpi-rsdp", &files.rsdp),
            ("etc/table-loader", "table-loader", &files.loader),
        ] {
            // QEMU refuses an empty file; without it there is none either.
            if !bytes.is_empty() {
                boot.machine.devices.extend(["-fw_cfg".into(), format!("name={item},file={file}")]);
                boot.files.push((file.into(), bytes.clone()));
            }
        }
        boot
    }
}

/// `changes` results of `draw`, or as many as it gives.
fn drawn(changes: u32, mut draw: impl FnMut() -> Option<String>) -> Vec<String> {
    (0..changes).filter_map(|_| (0..DRAWS).find_map(|_| draw())).collect()
}
