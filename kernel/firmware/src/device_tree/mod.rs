//! A device tree blob, made into one [`Description`] and one map of IOMMUs.
//!
//! Bytes become tokens, checked one by one, and these one table of nodes (`gate`); the other modules
//! read the meaning of it, one subject each. A fault in the format of the blob is an error, with its place. A fault in what a
//! node says costs that node, and is a finding.

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

use probe::Findings;

use crate::Description;
use crate::findings::TREE;
use header::Mode;

/// Reads the whole description of the machine from a device tree blob.
///
/// `blob` may go on behind the tree: only what the header names is read.
///
/// # Errors
///
/// The bytes are not a device tree, its format is broken, or it does not describe RAM.
pub fn describe(blob: &[u8]) -> Result<(Description, DeviceTreeMap), DeviceTreeError> {
    describe_with(blob, MapForm::default())
}

/// As [`describe`], with the entries of every `iommu-map` read in this form.
///
/// # Errors
///
/// As [`describe`].
pub fn describe_with(blob: &[u8], form: MapForm) -> Result<(Description, DeviceTreeMap), DeviceTreeError> {
    let tree = gate::read(blob, Mode::Strict)?;
    let mut findings = Findings::about(&TREE);

    malformed::report(&tree, &mut findings);
    let memory = memory::ram(&tree, &mut findings)?;
    let reserved = memory::reserved(&tree, &mut findings);
    let command_line = chosen::command_line(&tree, &mut findings);
    let console = chosen::console(&tree, &mut findings);
    let psci = processors::psci(&tree, &mut findings);
    let (cpus, affinities) = processors::cpus(&tree, &mut findings);
    let platform_devices = platform::devices(&tree, &mut findings);
    let host_bridges = host_bridge::all(&tree, &platform_devices, &memory, &mut findings);
    let map = DeviceTreeMap::read(&tree, form, &mut findings);
    review::review(&tree, &map, &host_bridges, &mut findings);

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
