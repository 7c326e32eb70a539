//! The data that the image receives at its entry: a device tree or ACPI tables, a command line, a
//! memory map.

use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use boot::Handover;
use firmware::acpi::Surroundings;
use firmware::device_tree::{self, DeviceTree, Early};
use firmware::route::ImageEntry;
use probe::Finding;

use crate::error::Error;
use crate::input::console::{use_conduit, use_console};
use crate::input::efi;
use crate::machine::blob;

/// The data that was handed over at entry.
pub struct HandedOver {
    /// How the image was entered, and with which descriptions.
    pub(crate) entry: ImageEntry,
    /// Those descriptions.
    pub(crate) given: Given,
    /// From the EFI load options or the command line file, or else from the description, even if
    /// the rest of the description cannot be read.
    pub(crate) command_line: String,
    /// RAM from an EFI firmware's memory map; `None` without such firmware.
    pub(crate) memory: Option<efi::Memory>,
    /// Warnings about the data.
    pub(crate) warnings: Vec<String>,
    /// The console in the description does not answer.
    pub(crate) console_absent: Option<Finding>,
}

/// The descriptions that were given at entry.
pub(crate) struct Given {
    /// A device tree, or why it cannot be read. It is opened at once because it may contain the command line.
    pub(crate) tree: Option<Result<DeviceTree<'static>, Error>>,
    /// ACPI tables, not read yet.
    pub(crate) tables: Option<GivenTables>,
}

/// ACPI tables, and data that they do not contain.
pub(crate) struct GivenTables {
    pub(crate) rsdp: PhysAddr,
    pub(crate) surroundings: Surroundings,
}

/// Reads the data of the handover, and uses the console and the PSCI conduit in it.
pub(crate) fn read(handover: &Handover) -> HandedOver {
    let mut warnings = Vec::new();
    let efi_line = handover.efi.map(|efi| efi::command_line(&efi, &mut warnings));
    let memory = handover.efi.map(|efi| efi::memory(&efi, &mut warnings));
    let entry = match handover.efi {
        None => ImageEntry::LinuxBoot,
        Some(_) => {
            ImageEntry::Uefi { tree: handover.device_tree.is_some(), tables: handover.acpi_rsdp.is_some() }
        }
    };
    let (early, tree) = handover.device_tree.map(open_tree).unzip();
    let early = early.unwrap_or_default();
    let tables = handover.acpi_rsdp.map(|rsdp| {
        let memory = memory.clone().unwrap_or_default();
        let surroundings = Surroundings {
            memory: memory.free.iter().chain(&memory.kept).copied().collect(),
            reserved: memory.kept,
            command_line: efi_line.clone().unwrap_or_default(),
        };
        GivenTables { rsdp, surroundings }
    });
    let console_absent = use_console(early.console);
    use_conduit(early.psci);
    let command_line = efi_line.filter(|line| !line.trim().is_empty()).unwrap_or(early.command_line);
    HandedOver { entry, given: Given { tree, tables }, command_line, memory, warnings, console_absent }
}

/// The parts of the tree at `at` that are needed at once, and the tree.
fn open_tree(at: PhysAddr) -> (Early, Result<DeviceTree<'static>, Error>) {
    // SAFETY: Only `memory::add_to_heap` gives memory to the heap, and it leaves this tree out.
    let blob = match unsafe { blob::device_tree(at) } {
        Ok(blob) => blob,
        Err(error) => return (Early::default(), Err(error.into())),
    };
    match DeviceTree::open(blob) {
        Ok(tree) => (tree.early(), Ok(tree)),
        Err(error) => (device_tree::early(blob), Err(error.into())),
    }
}
