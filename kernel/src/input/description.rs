//! The description of the machine for a run, read by the chosen route.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use firmware::Description;
use firmware::acpi::{AcpiMap, Surroundings};
use firmware::device_tree::{DeviceTree, MapForm};
use firmware::route::{ImageEntry, Route, RouteError, TreeFrom};
use pci::{Numbering, Resources};
use probe::Path;

use crate::error::Error;
use crate::input::console::{use_conduit, use_console};
use crate::input::described::{Described, describe_tree, refused};
use crate::input::handover::{Given, GivenTables};
use crate::input::options::Options;
use crate::input::{acpi_tables, fw_cfg_tables};
use crate::log;
use crate::machine::ram::Ram;
use crate::machine::semihosting;

/// Reads the description by `route`, from the data `given` at `entry` or from files of the host.
///
/// # Errors
///
/// It cannot be read.
pub(crate) fn read(
    route: Route<'_>,
    entry: ImageEntry,
    given: Given,
    options: &Options,
) -> Result<Described, Error> {
    let mut described = match route {
        Route::Tree(source) => describe_tree(&open_tree(source, given.tree)?, entry, map_form(options.path))?,
        Route::FwCfgTables(source) => from_fw_cfg(&open_tree(source, given.tree)?, options)?,
        Route::UefiTables => {
            let GivenTables { rsdp, surroundings } = given.tables.ok_or(RouteError::NothingFromUefi)?;
            let tables = acpi_tables::describe(rsdp, &Ram, surroundings, Vec::new(), &options.table_files)?;
            from_tables(tables, &[])
        }
    };
    let Description { console, psci, findings, .. } = &mut described.description;
    if let Some(finding) = use_console(*console)
        && !findings.contains(&finding)
    {
        findings.push(finding);
    }
    use_conduit(*psci);
    Ok(described)
}

/// The tree that was given at entry, or a file of the host, which is kept for good.
fn open_tree(
    source: TreeFrom<'_>,
    given: Option<Result<DeviceTree<'static>, Error>>,
) -> Result<DeviceTree<'static>, Error> {
    match source {
        TreeFrom::Entry => given.unwrap_or_else(|| Err(RouteError::NothingFromUefi.into())),
        TreeFrom::HostFile(name) => {
            let file = semihosting::read_file(name);
            let file =
                file.map_err(|error| Error::HostFile { option: "dtb", name: name.to_string(), error })?;
            log!("device tree: {name}, {} bytes", file.len());
            Ok(DeviceTree::open(file.leak())?)
        }
    }
}

/// The description in the tables that QEMU offers through fw_cfg. `tree` describes the machine for
/// the work that firmware would do first.
fn from_fw_cfg(tree: &DeviceTree<'static>, options: &Options) -> Result<Described, Error> {
    let start = tree.describe_for_firmware().map_err(|error| refused(tree, error))?;
    let loaded = fw_cfg_tables::load_tables(&start, options)?;
    let Description { memory, reserved, command_line, .. } = start;
    let surroundings = Surroundings { memory, reserved, command_line };
    let (odd, files) = (loaded.findings.clone(), &options.table_files);
    let tables = acpi_tables::describe(loaded.rsdp, &loaded, surroundings, odd, files)?;
    Ok(from_tables(tables, tree.blob()))
}

/// The description in tables. The buses were numbered before the tables were made.
fn from_tables((description, map): (Description, AcpiMap), tree: &'static [u8]) -> Described {
    let (numbering, resources) = (Numbering::Keep, Resources::Keep);
    Described { description, map: Box::new(map), tree, numbering, resources }
}

/// How the Linux of a path reads `iommu-map`.
fn map_form(path: Path) -> MapForm {
    match path {
        Path::Fixed | Path::Upstream => MapForm::BySpecifier,
        Path::Regressed | Path::Legacy => MapForm::FourCells,
    }
}
