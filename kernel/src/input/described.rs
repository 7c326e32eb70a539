//! A machine as firmware describes it, whichever route the description came by.

use alloc::boxed::Box;

use firmware::Description;
use firmware::device_tree::{self, DeviceTree, DeviceTreeError, MapForm};
use firmware::route::ImageEntry;
use pci::{Numbering, Resources};
use probe::LinuxFirmware;

use crate::error::Error;
use crate::input::console::use_console;

/// A description of the machine, from a device tree or from ACPI tables.
pub struct Described {
    /// The described machine.
    pub description: Description,
    /// Which IOMMU translates what, as firmware describes it.
    pub map: Box<dyn LinuxFirmware>,
    /// The device tree that it was read from, or that led to the tables; else empty.
    pub(crate) tree: &'static [u8],
    /// Whether buses are numbered already.
    pub(crate) numbering: Numbering,
    /// Whether BARs are placed already.
    pub(crate) resources: Resources,
}

/// The description in a tree. Earlier firmware has numbered the buses and placed the BARs.
pub(super) fn describe_tree(
    tree: &DeviceTree<'static>,
    entry: ImageEntry,
    form: MapForm,
) -> Result<Described, Error> {
    let (description, map) = tree.describe(form).map_err(|error| refused(tree, error))?;
    let (numbering, resources) = if entry.is_uefi() {
        (Numbering::Keep, Resources::Keep)
    } else {
        (Numbering::default(), Resources::default())
    };
    Ok(Described { description, map: Box::new(map), tree: tree.blob(), numbering, resources })
}

/// The error of a tree that cannot be used, reported on any console that the tree has.
pub(super) fn refused(tree: &DeviceTree<'_>, error: DeviceTreeError) -> Error {
    use_console(device_tree::early(tree.blob()).console);
    error.into()
}
