//! One boot: a machine, a kernel, how it starts, and the files that it needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use report::Form;

use crate::case::Case;
use crate::choices::Iommu;
use crate::hot_plug::SlotChange;
use crate::image::{Kernel, Patch};
use crate::qemu::{KernelStart, Machine, Rounds};
use crate::scenarios::Named;
use crate::topology::Topology;
use crate::tree_edit::Edit;

mod directory;
mod own_trees;
mod paste;

pub(crate) use own_trees::OwnTrees;

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
    pub(crate) start: KernelStart,
    pub(crate) tree: Tree,
    /// QEMU's own tree, if it has been asked for already.
    pub(crate) own_tree: Option<Vec<u8>>,
    pub(crate) patches: Vec<Patch>,
    /// ACPI tables of our own: where they come from, and their bytes.
    pub(crate) tables: Vec<(PathBuf, Vec<u8>)>,
    /// Changes of slots while the kernel runs.
    pub(crate) slot_changes: Vec<SlotChange>,
    /// Further files in the run directory, by name.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What two CPUs play.
    pub(crate) race: Option<Named>,
    /// How the report is shown; the kernel always writes JSON.
    pub(crate) form: Form,
}

/// Name of an Image with patches, in the run directory.
const PATCHED_IMAGE: &str = "patched.Image";
impl Boot {
    /// The boot of a machine that is described by QEMU alone.
    pub(crate) fn of_machine(machine: Machine, start: KernelStart) -> Self {
        Self {
            machine,
            start,
            tree: Tree::Own,
            own_tree: None,
            patches: Vec::new(),
            tables: Vec::new(),
            slot_changes: Vec::new(),
            files: Vec::new(),
            race: None,
            form: Form::default(),
        }
    }

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
        if case.iommu == Iommu::Off {
            boot.machine.remove_iommu();
        }
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
            start: KernelStart {
                firmware: topology.firmware,
                disk: topology.disk,
                path: topology.path,
                order: topology.order.clone(),
                console: topology.console,
                own_tree: !matches!(tree, Tree::Own),
                tables: topology.tables.len(),
                slot_changes: topology.hot_plug.len(),
                race: topology.race.as_ref().map(|race| Rounds { rounds: race.rounds, seed: 0 }),
                append: topology.append.split_whitespace().map(String::from).collect(),
                gdb: false,
            },
            tree,
            own_tree: None,
            patches: topology.patch.clone(),
            tables: topology.tables.iter().map(read).collect::<Result<_>>()?,
            slot_changes: topology.hot_plug.clone(),
            files: Vec::new(),
            race,
            form: Form::default(),
        })
    }

    /// The Image to boot, from the run directory.
    fn image<'a>(&self, kernel: &'a Kernel) -> &'a Path {
        if self.patches.is_empty() { &kernel.image } else { Path::new(PATCHED_IMAGE) }
    }
}
