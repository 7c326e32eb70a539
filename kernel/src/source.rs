//! Where the description of the machine comes from, and what of it is used at once: consoles, PSCI, memory.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::{Handover, Source};
use firmware::device_tree::{self, DeviceTreeMap, Early};
use firmware::{Console, Description, PsciConduit};
use pci::{Numbering, Policy, Resources};
use report::{Finding, Severity};

use crate::machine::{blob, console, heap, power, semihosting};
use crate::options::Options;
use crate::{efi, log};

/// A description of the machine, and the bytes that it was read from.
pub(crate) struct Described {
    pub(crate) description: Description,
    pub(crate) map: DeviceTreeMap,
    pub(crate) tree: Cow<'static, [u8]>,
}

/// What was handed over at entry.
pub(crate) struct HandedOver {
    /// How, in the word that the report has for it: `dt`, `uefi-dt`, `uefi-acpi`.
    pub(crate) route: &'static str,
    /// The description, or why there is none.
    pub(crate) described: Result<Described, String>,
    /// From EFI load options, or else from the description, and then read however broken the rest of it is.
    pub(crate) command_line: String,
    /// RAM as an EFI firmware sees it; none if there was no such firmware.
    pub(crate) memory: Option<efi::Memory>,
    /// What was odd.
    pub(crate) warnings: Vec<String>,
}

/// Reads what the handover leads to, and uses the console and the way to end the run that it names.
pub(crate) fn handed_over(handover: &Handover) -> HandedOver {
    let (early, described) = match handover.source {
        Source::DeviceTree(at) => from_tree(at),
        Source::Acpi { rsdp } => {
            log!("ACPI: RSDP {rsdp}, by the EFI configuration table");
            let error = format!("ACPI tables at {rsdp}: this image reads device trees only");
            (Early::default(), Err(error))
        }
        Source::Nothing => {
            let error = "the EFI configuration table has neither a device tree nor ACPI 2.0 tables";
            (Early::default(), Err(error.to_string()))
        }
    };
    use_console(early.console);
    use_conduit(early.psci);
    let mut warnings = Vec::new();
    let load_options = handover.efi.map(|efi| efi::command_line(&efi, &mut warnings));
    let memory = handover.efi.map(|efi| efi::memory(&efi, &mut warnings));
    let command_line = load_options.filter(|line| !line.trim().is_empty()).unwrap_or(early.command_line);
    HandedOver { route: route(handover), described, command_line, memory, warnings }
}

/// What the tree at `at` says at once, and all that it describes.
fn from_tree(at: PhysAddr) -> (Early, Result<Described, String>) {
    // SAFETY: Only `use_memory` gives memory to the heap, and it leaves this tree out.
    let tree = match unsafe { blob::device_tree(at) } {
        Ok(tree) => tree,
        Err(error) => return (Early::default(), Err(error.to_string())),
    };
    match describe(Cow::Borrowed(tree)) {
        Ok(described) => {
            let Description { command_line, console, psci, .. } = &described.description;
            let early = Early { command_line: command_line.clone(), console: *console, psci: *psci };
            (early, Ok(described))
        }
        Err(error) => (device_tree::early(tree), Err(error)),
    }
}

fn route(handover: &Handover) -> &'static str {
    match (&handover.efi, handover.source) {
        (None, _) => "dt",
        (Some(_), Source::Acpi { .. }) => "uefi-acpi",
        (Some(_), _) => "uefi-dt",
    }
}

/// How PCI is enumerated: a firmware that has been there has numbered the buses and placed the BARs.
pub(crate) fn pci_policy(handover: &Handover) -> Policy {
    match handover.efi {
        None => Policy::default(),
        Some(_) => Policy { numbering: Numbering::Keep, resources: Resources::Keep, ..Policy::default() },
    }
}

/// The description to go by: that of a file of the host if the user names one, else what was handed over.
pub(crate) fn chosen(handed_over: Result<Described, String>, options: &Options) -> Result<Described, String> {
    let Some(name) = &options.device_tree_file else { return handed_over };
    let file = semihosting::read_file(name).map_err(|error| format!("dtb={name}: {error}"))?;
    log!("device tree: {name}, {} bytes", file.len());
    let described = describe(Cow::Owned(file))?;
    use_console(described.description.console);
    use_conduit(described.description.psci);
    Ok(described)
}

fn describe(tree: Cow<'static, [u8]>) -> Result<Described, String> {
    let (description, map) = device_tree::describe(&tree).map_err(|error| error.to_string())?;
    Ok(Described { description, map, tree })
}

/// Gives the memory that the description leaves free to the heap.
///
/// Memory that cannot be used costs no more than itself: the finding says which, and the run goes on with
/// the heap that it has.
///
/// An EFI firmware's own map says what is free (`from_efi`), as in Linux; a device tree beside it does not
/// know what the firmware uses.
pub(crate) fn use_memory(
    handover: &Handover,
    from_efi: Option<efi::Memory>,
    described: &Described,
) -> Option<Finding> {
    let Described { description, tree, .. } = described;
    let mut reserved: Vec<Range<PhysAddr>> = description.reserved.clone();
    reserved.push(handover.image);
    reserved.extend(Range::from_size(PhysAddr(tree.as_ptr().addr() as u64), tree.len() as u64));
    if let Source::DeviceTree(at) = handover.source {
        reserved.extend(Range::from_size(at, u64::from(blob::DEVICE_TREE_LIMIT)));
    }
    let memory = match &from_efi {
        None => &description.memory,
        Some(map) => {
            reserved.extend(&map.kept);
            &map.free
        }
    };
    // SAFETY: Firmware says that this is RAM; the image, with the early heap, both device trees and what EFI
    // firmware keeps are left out. It is called once.
    let added = unsafe { heap::add_free_memory(memory, &reserved) };
    added.err().map(|error| Finding {
        id: "memory-unusable".to_string(),
        severity: Severity::Warning,
        device: "memory".to_string(),
        sentence: format!("a range of RAM that firmware describes cannot be used: {error}"),
    })
}

fn use_console(named: Option<Console>) {
    if let Some(Console::Pl011(registers)) = named
        && let Err(error) = console::move_uart(registers.start())
    {
        log!("console at {registers}: {error}");
    }
}

fn use_conduit(conduit: Option<PsciConduit>) {
    match conduit {
        Some(PsciConduit::Hvc) => power::set_conduit(power::Conduit::Hvc),
        Some(PsciConduit::Smc) => power::set_conduit(power::Conduit::Smc),
        None => {}
    }
}
