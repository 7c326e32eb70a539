//! What the image was given at its entry: a device tree or ACPI tables, a command line, a memory map.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use boot::{DescriptionAddress, Handover};
use firmware::Description;
use firmware::acpi::Surroundings;
use firmware::device_tree::{self, Early, MapForm};
use firmware::route::Entry;
use probe::Finding;

use crate::error::Error;
use crate::input::console::{use_conduit, use_console};
use crate::input::described::{Described, describe_tree};
use crate::input::efi;
use crate::machine::blob;

/// What was handed over at entry.
pub struct HandedOver {
    /// How the image was entered, and with which description.
    pub(crate) entry: Entry,
    /// That description.
    pub(crate) given: Given,
    /// From EFI load options or the file in their place, or else from the description, and then also if the rest of
    /// that cannot be read.
    pub(crate) command_line: String,
    /// RAM as an EFI firmware sees it; none if there was no such firmware.
    pub(crate) memory: Option<efi::Memory>,
    /// What was odd.
    pub(crate) warnings: Vec<String>,
    /// The console that the description names is not there.
    pub(crate) console_absent: Option<Finding>,
}

/// A description as it was given at entry.
pub(crate) enum Given {
    /// A device tree, read already, as the command line may be in it; or why it cannot be.
    Tree(Result<Box<Described>, Error>),
    /// ACPI tables, not read yet, and what they do not describe.
    Tables { rsdp: PhysAddr, surroundings: Surroundings },
    /// Nothing.
    Nothing,
}

/// Reads what the handover leads to, and uses the console and the way to end the run that it names.
pub(crate) fn read(handover: &Handover) -> HandedOver {
    let mut warnings = Vec::new();
    let efi_line = handover.efi.map(|efi| efi::command_line(&efi, &mut warnings));
    let memory = handover.efi.map(|efi| efi::memory(&efi, &mut warnings));
    let (entry, early, given) = match handover.description {
        DescriptionAddress::DeviceTree(at) => {
            let entry = if handover.efi.is_some() { Entry::UefiTree } else { Entry::LinuxBoot };
            let (early, described) = read_tree(at, entry);
            (entry, early, Given::Tree(described.map(Box::new)))
        }
        DescriptionAddress::Acpi { rsdp } => {
            let memory = memory.clone().unwrap_or_default();
            let surroundings = Surroundings {
                memory: memory.free.iter().chain(&memory.kept).copied().collect(),
                reserved: memory.kept,
                command_line: efi_line.clone().unwrap_or_default(),
            };
            (Entry::UefiTables, Early::default(), Given::Tables { rsdp, surroundings })
        }
        DescriptionAddress::Nothing => (Entry::UefiNothing, Early::default(), Given::Nothing),
    };
    let console_absent = use_console(early.console);
    use_conduit(early.psci);
    let command_line = efi_line.filter(|line| !line.trim().is_empty()).unwrap_or(early.command_line);
    HandedOver { entry, given, command_line, memory, warnings, console_absent }
}

/// What the tree at `at` has to say at once, and all that it describes.
fn read_tree(at: PhysAddr, entry: Entry) -> (Early, Result<Described, Error>) {
    // SAFETY: Only `memory::add_to_heap` gives memory to the heap, and it leaves this tree out.
    let tree = match unsafe { blob::device_tree(at) } {
        Ok(tree) => tree,
        Err(error) => return (Early::default(), Err(error.into())),
    };
    match describe_tree(Cow::Borrowed(tree), entry, MapForm::default()) {
        Ok(described) => (early_of(&described.description), Ok(described)),
        Err(error) => (device_tree::early(tree), Err(error)),
    }
}

fn early_of(description: &Description) -> Early {
    let Description { command_line, console, psci, .. } = description;
    Early { command_line: command_line.clone(), console: *console, psci: *psci }
}
