//! Where the description of the machine comes from, and what of it is used at once: consoles, PSCI, memory.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::{Handover, Source};
use firmware::acpi::{AcpiMap, Surroundings};
use firmware::device_tree::{self, Early, MapForm};
use firmware::{Console, Description, PsciConduit};
use pci::{Numbering, Policy, Resources};
use probe::{Finding, FirmwareMap, Path, Severity};

use crate::input::options::{Firmware, Moment, Options};
use crate::input::{acpi_tables, efi, fw_cfg_tables};
use crate::log;
use crate::machine::heap::MemoryError;
use crate::machine::psci::Conduit;
use crate::machine::ram::Ram;
use crate::machine::{blob, console, heap, power, semihosting};

/// A description of the machine, in whatever language firmware has it.
pub struct Described {
    /// What firmware describes.
    pub description: Description,
    /// Which IOMMU translates what, as firmware describes it.
    pub map: Box<dyn FirmwareMap>,
    /// The device tree that it was read from; empty if it was not.
    pub(crate) tree: Cow<'static, [u8]>,
    /// Whether buses are numbered and BARs placed already.
    pub(crate) buses: Policy,
}

/// What a description can be made of.
pub(crate) enum Start {
    /// A device tree, read already; or why there is no description at all.
    Tree(Result<Box<Described>, String>),
    /// ACPI tables, and what they do not say.
    Tables { rsdp: PhysAddr, surroundings: Surroundings },
}

/// What was handed over at entry.
pub struct HandedOver {
    /// The description, or where it is to be read.
    pub(crate) start: Start,
    /// From EFI load options or the file in their place, or else from the description, and then read however broken the rest of it is.
    pub(crate) command_line: String,
    /// RAM as an EFI firmware sees it; none if there was no such firmware.
    pub(crate) memory: Option<efi::Memory>,
    /// What was odd.
    pub(crate) warnings: Vec<String>,
    /// Said if the console that it names is not there.
    pub(crate) console_absent: Option<Finding>,
}

/// Reads what the handover leads to, and uses the console and the way to end the run that it names.
pub(crate) fn handed_over(handover: &Handover) -> HandedOver {
    let mut warnings = Vec::new();
    let efi_line = handover.efi.map(|efi| efi::command_line(&efi, &mut warnings));
    let memory = handover.efi.map(|efi| efi::memory(&efi, &mut warnings));
    let (early, start) = match handover.source {
        Source::DeviceTree(at) => {
            let (early, described) = from_tree(at, buses(handover));
            (early, Start::Tree(described.map(Box::new)))
        }
        Source::Acpi { rsdp } => {
            let memory = memory.clone().unwrap_or_default();
            let surroundings = Surroundings {
                memory: memory.free.iter().chain(&memory.kept).copied().collect(),
                reserved: memory.kept,
                command_line: efi_line.clone().unwrap_or_default(),
            };
            (Early::default(), Start::Tables { rsdp, surroundings })
        }
        Source::Nothing => {
            let error = "the EFI configuration table has neither a device tree nor ACPI 2.0 tables";
            (Early::default(), Start::Tree(Err(error.to_string())))
        }
    };
    let console_absent = use_console(early.console);
    use_conduit(early.psci);
    let command_line = efi_line.filter(|line| !line.trim().is_empty()).unwrap_or(early.command_line);
    HandedOver { start, command_line, memory, warnings, console_absent }
}

/// What the tree at `at` says at once, and all that it describes.
fn from_tree(at: PhysAddr, buses: Policy) -> (Early, Result<Described, String>) {
    // SAFETY: Only `use_memory` gives memory to the heap, and it leaves this tree out.
    let tree = match unsafe { blob::device_tree(at) } {
        Ok(tree) => tree,
        Err(error) => return (Early::default(), Err(error.to_string())),
    };
    match describe(Cow::Borrowed(tree), buses, MapForm::default()) {
        Ok(described) => (early_of(&described.description), Ok(described)),
        Err(error) => (device_tree::early(tree), Err(error)),
    }
}

/// What tables describe. Whoever made them has numbered the buses.
fn from_tables(
    tables: Result<(Description, AcpiMap), String>,
    tree: Cow<'static, [u8]>,
) -> Result<Described, String> {
    let (description, map) = tables?;
    Ok(Described { description, map: Box::new(map), tree, buses: kept() })
}

fn early_of(description: &Description) -> Early {
    let Description { command_line, console, psci, .. } = description;
    Early { command_line: command_line.clone(), console: *console, psci: *psci }
}

/// Where the description comes from, in the report's word. A tree from a file takes the place of what an EFI firmware
/// hands over.
pub(crate) fn route(handover: &Handover, options: &Options) -> &'static str {
    match (&handover.efi, handover.source) {
        (None, _) if options.firmware == Some(Firmware::Acpi) => "acpi",
        (None, _) => "dt",
        (Some(_), _) if options.device_tree_file.is_some() => "uefi-dt",
        (Some(_), Source::Acpi { .. }) => "uefi-acpi",
        (Some(_), _) => "uefi-dt",
    }
}

/// How PCI is enumerated: a firmware that has been there has numbered the buses and placed the BARs.
fn buses(handover: &Handover) -> Policy {
    if handover.efi.is_some() { kept() } else { Policy::default() }
}

fn kept() -> Policy {
    Policy { numbering: Numbering::Keep, resources: Resources::Keep, ..Policy::default() }
}

/// The description to go by: what was handed over, or what the user asks for in its place: a tree in a file
/// of the host, or tables where there is no firmware to hand them over.
pub(crate) fn chosen(handover: &Handover, start: Start, options: &Options) -> Result<Described, String> {
    let by_tables = matches!(start, Start::Tables { .. }) || options.firmware == Some(Firmware::Acpi);
    if !options.table_files.is_empty() && !by_tables {
        return Err("tables=: the machine is described by a device tree".to_string());
    }
    let stands_in =
        options.firmware == Some(Firmware::Acpi) && matches!(handover.source, Source::DeviceTree(_));
    if options.numbering == Moment::AfterTables && !stands_in {
        return Err("number=late: only firmware=acpi takes tables, and could take them too early".to_string());
    }
    let mut described = match (start, &options.device_tree_file) {
        (Start::Tables { .. }, None) if options.firmware == Some(Firmware::DeviceTree) => {
            return Err("firmware=dt: the EFI firmware has handed over ACPI tables".to_string());
        }
        (Start::Tables { rsdp, surroundings }, None) => {
            let files = &options.table_files;
            from_tables(
                acpi_tables::describe(rsdp, &Ram, surroundings, Vec::new(), files),
                Cow::Borrowed(&[]),
            )?
        }
        (Start::Tree(handed_over), None) => {
            let handed_over = *handed_over?;
            // The command line that names the path was in the tree.
            match (map_form(options.path), stands_in) {
                (MapForm::BySpecifier, _) | (_, true) => handed_over,
                (form, false) => describe(handed_over.tree, handed_over.buses, form)?,
            }
        }
        (_, Some(name)) => {
            let file = semihosting::read_file(name).map_err(|error| format!("dtb={name}: {error}"))?;
            log!("device tree: {name}, {} bytes", file.len());
            describe(Cow::Owned(file), buses(handover), map_form(options.path))?
        }
    };
    if stands_in {
        if handover.efi.is_some() {
            return Err("firmware=acpi: the EFI firmware has handed over a device tree".to_string());
        }
        described = from_stand_in(described, options)?;
    }
    let Description { console, psci, findings, .. } = &mut described.description;
    if let Some(finding) = use_console(*console)
        && !findings.contains(&finding)
    {
        findings.push(finding);
    }
    use_conduit(*psci);
    Ok(described)
}

/// Tables in place of `start`, which is for standing in for firmware alone.
fn from_stand_in(start: Described, options: &Options) -> Result<Described, String> {
    let loaded = fw_cfg_tables::load_tables(&start.description, &*start.map, options.numbering)?;
    let Description { memory, reserved, command_line, .. } = start.description;
    let surroundings = Surroundings { memory, reserved, command_line };
    let (odd, files) = (loaded.findings.clone(), &options.table_files);
    from_tables(acpi_tables::describe(loaded.rsdp, &loaded, surroundings, odd, files), start.tree)
}

/// How the Linux of a path reads `iommu-map`.
fn map_form(path: Path) -> MapForm {
    match path {
        Path::Fixed | Path::Upstream => MapForm::BySpecifier,
        Path::Regressed | Path::Legacy => MapForm::FourCells,
    }
}

fn describe(tree: Cow<'static, [u8]>, buses: Policy, form: MapForm) -> Result<Described, String> {
    let (description, map) = device_tree::describe_with(&tree, form).map_err(|error| error.to_string())?;
    Ok(Described { description, map: Box::new(map), tree, buses })
}

/// Gives the memory that the description leaves free to the heap.
///
/// Memory that cannot be used costs no more than itself: the findings say which, and the run goes on with
/// the heap that it has.
///
/// An EFI firmware's own map says what is free (`from_efi`), as in Linux; a device tree beside it does not
/// know what the firmware uses.
pub(crate) fn use_memory(
    handover: &Handover,
    from_efi: Option<efi::Memory>,
    described: &Described,
) -> Vec<Finding> {
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

    let mut findings = Vec::new();
    if !description.memory.iter().any(|range| range.encloses(&handover.image)) {
        let sentence = format!(
            "the image is at {}, which is outside of the RAM that firmware describes; it runs there all the same",
            handover.image
        );
        findings.push(about_memory("image-outside-memory", sentence));
    }
    let mut left_out = 0;
    let mut refused = |range, error: MemoryError| {
        if findings.len() >= MEMORY_FINDING_LIMIT {
            left_out += 1;
            return;
        }
        let id = match error {
            MemoryError::Absent(_) => "memory-absent",
            MemoryError::Unmappable(_) | MemoryError::TooManyRanges => "memory-unusable",
        };
        findings.push(about_memory(id, format!("{range}, RAM as firmware says, is left out: {error}")));
    };
    // SAFETY: Firmware says that this is RAM; the image, with the early heap, and both device trees and what
    // EFI firmware keeps are left out. It is called once.
    unsafe { heap::add_free_memory(memory, &reserved, &mut refused) };
    if left_out > 0 {
        let sentence = format!("{left_out} more ranges, RAM as firmware says, are left out");
        findings.push(about_memory("memory-unusable", sentence));
    }
    findings
}

/// Ranges of RAM that are named one by one if they cannot be used.
const MEMORY_FINDING_LIMIT: usize = 16;

fn about_memory(id: &'static str, sentence: String) -> Finding {
    Finding { id, severity: Severity::Warning, subject: "memory".to_string(), sentence }
}

/// Uses the console that firmware names, if it is one; if not, the finding says so.
fn use_console(named: Option<Console>) -> Option<Finding> {
    let Console::Pl011(registers) = named?;
    let why = match console::move_uart(registers.start()) {
        Ok(true) => return None,
        Ok(false) => "no PL011 answers there".to_string(),
        Err(error) => error.to_string(),
    };
    let sentence = format!("the console that the device tree names has its registers at {registers}: {why}");
    Some(Finding {
        id: "console-absent",
        severity: Severity::Warning,
        subject: "/chosen".to_string(),
        sentence,
    })
}

fn use_conduit(conduit: Option<PsciConduit>) {
    match conduit {
        Some(PsciConduit::Hvc) => power::set_conduit(Conduit::Hvc),
        Some(PsciConduit::Smc) => power::set_conduit(Conduit::Smc),
        None => {}
    }
}
