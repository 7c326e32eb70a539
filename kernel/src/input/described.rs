//! A machine as firmware describes it, whichever route the description came by.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use firmware::Description;
use firmware::device_tree::{self, MapForm};
use firmware::route::ImageEntry;
use pci::{Numbering, Resources};
use probe::LinuxFirmware;

use crate::error::Error;

/// A description of the machine, from a device tree or from ACPI tables.
pub struct Described {
    /// The described machine.
    pub description: Description,
    /// Which IOMMU translates what, as firmware describes it.
    pub map: Box<dyn LinuxFirmware>,
    /// The device tree that it was read from; empty for ACPI tables.
    pub(crate) tree: Cow<'static, [u8]>,
    /// Whether buses are numbered already.
    pub(crate) numbering: Numbering,
    /// Whether BARs are placed already.
    pub(crate) resources: Resources,
}

/// The description in a tree. Earlier firmware has numbered the buses and placed the BARs.
pub(super) fn describe_tree(
    tree: Cow<'static, [u8]>,
    entry: ImageEntry,
    form: MapForm,
) -> Result<Described, Error> {
    let (description, map) = device_tree::describe_with(&tree, form)?;
    let (numbering, resources) = if entry.is_uefi() {
        (Numbering::Keep, Resources::Keep)
    } else {
        (Numbering::default(), Resources::default())
    };
    Ok(Described { description, map: Box::new(map), tree, numbering, resources })
}
