//! A device tree blob, made into one [`Description`] and one map of IOMMUs.
//!
//! Bytes become tokens, checked one by one, and these one table of nodes (`gate`); the other modules
//! read the meaning of it, one subject each. A fault in the format of the blob is an error, with its place. A fault in what a
//! node contains costs that node, and is a finding.

mod address;
mod chosen;
mod early;
mod error;
mod functions;
mod gate;
mod header;
mod host_bridge;
mod inspect;
mod iommu_map;
mod malformed;
mod map;
mod memory;
mod platform;
mod processors;
mod reserved_iova;
mod review;
mod segment;
mod spec;
mod token;
mod tree;
mod windows;

pub use early::{Early, early};
pub use error::{DeviceTreeError, StructureFault};
pub use header::total_size;
pub use inspect::{Inspection, IommuEntry, IommuNode, IommuProperty, Located, inspect};
pub use map::{DeviceTreeMap, MapForm};

use alloc::vec::Vec;

use probe::Findings;

use crate::Description;
use crate::findings::TREE;
use header::Mode;
use tree::Tree;

/// A device tree whose format has been checked.
pub struct DeviceTree<'a> {
    blob: &'a [u8],
    tree: Tree<'a>,
}

impl<'a> DeviceTree<'a> {
    /// Reads the nodes and properties of a blob, which may go on behind the tree: only what the header names is read.
    ///
    /// # Errors
    ///
    /// The bytes are not a device tree, or its format is broken.
    pub fn open(blob: &'a [u8]) -> Result<Self, DeviceTreeError> {
        Ok(Self { blob, tree: gate::read(blob, Mode::Strict)? })
    }

    /// The blob that it was read from.
    #[must_use]
    pub fn blob(&self) -> &'a [u8] {
        self.blob
    }

    /// What is needed at once. The console is the one that the tree names.
    #[must_use]
    pub fn early(&self) -> Early {
        Early::of(&self.tree)
    }

    /// The whole description of the machine, with the entries of every `iommu-map` read in this form.
    ///
    /// # Errors
    ///
    /// It does not describe RAM.
    pub fn describe(&self, form: MapForm) -> Result<(Description, DeviceTreeMap), DeviceTreeError> {
        let tree = &self.tree;
        let mut findings = Findings::about(&TREE);

        malformed::report(tree, &mut findings);
        let memory = memory::ram(tree, &mut findings)?;
        let reserved = memory::reserved(tree, &mut findings);
        let command_line = chosen::command_line(tree, &mut findings);
        let console = chosen::console(tree, &mut findings);
        let psci = processors::psci(tree, &mut findings);
        let (cpus, affinities) = processors::cpus(tree, &mut findings);
        let platform_devices = platform::devices(tree, &mut findings);
        let host_bridges = host_bridge::all(tree, &platform_devices, &memory, &mut findings);
        let map = DeviceTreeMap::read(tree, form, &mut findings);
        review::review(tree, &map, &host_bridges, &mut findings);

        let findings = findings.into_list();
        let description = Description {
            memory,
            reserved,
            command_line,
            console,
            psci,
            cpus,
            affinities,
            requests_acs: !host_bridges.is_empty(),
            host_bridges,
            platform_devices,
            findings,
        };
        Ok((description, map))
    }

    /// What firmware needs to know of the machine before it makes tables: RAM, host bridges and devices. No findings:
    /// the tables describe the machine then.
    ///
    /// # Errors
    ///
    /// As [`Self::describe`].
    pub fn describe_for_firmware(&self) -> Result<Description, DeviceTreeError> {
        let tree = &self.tree;
        let mut ignored = Findings::about(&TREE);
        let memory = memory::ram(tree, &mut ignored)?;
        let reserved = memory::reserved(tree, &mut ignored);
        let platform_devices = platform::devices(tree, &mut ignored);
        let host_bridges = host_bridge::all(tree, &platform_devices, &memory, &mut ignored);
        Ok(Description {
            memory,
            reserved,
            command_line: chosen::command_line(tree, &mut ignored),
            console: None,
            psci: None,
            cpus: 1,
            affinities: Vec::new(),
            requests_acs: false,
            host_bridges,
            platform_devices,
            findings: Vec::new(),
        })
    }
}

/// Reads the whole description of the machine from a device tree blob.
///
/// # Errors
///
/// As [`DeviceTree::open`] and [`DeviceTree::describe`].
pub fn describe(blob: &[u8]) -> Result<(Description, DeviceTreeMap), DeviceTreeError> {
    DeviceTree::open(blob)?.describe(MapForm::default())
}
