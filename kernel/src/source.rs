//! Where the description of the machine comes from, and what of it is used at once: consoles, PSCI, memory.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::Handover;
use firmware::device_tree::{self, DeviceTreeMap, Early};
use firmware::{Console, Description, PsciConduit};
use probe::{Finding, Severity};

use crate::log;
use crate::machine::heap::MemoryError;
use crate::machine::{blob, console, heap, power, semihosting};
use crate::options::Options;

/// A description of the machine, and the bytes that it was read from.
pub(crate) struct Described {
    pub(crate) description: Description,
    pub(crate) map: DeviceTreeMap,
    pub(crate) tree: Cow<'static, [u8]>,
}

/// What was handed over at entry, and the command line in it, which is read however broken the rest is.
pub(crate) struct HandedOver {
    pub(crate) described: Result<Described, String>,
    pub(crate) command_line: String,
    /// Said if the console that it names is not there.
    pub(crate) console_absent: Option<Finding>,
}

/// Reads what `x0` leads to, and uses the console and the way to end the run that it names.
pub(crate) fn handed_over(handover: &Handover) -> HandedOver {
    // SAFETY: Only `use_memory` gives memory to the heap, and it leaves this tree out.
    let tree = match unsafe { blob::device_tree(handover.firmware_argument) } {
        Ok(tree) => tree,
        Err(error) => {
            let described = Err(error.to_string());
            return HandedOver { described, command_line: String::new(), console_absent: None };
        }
    };
    let (early, described) = match describe(Cow::Borrowed(tree)) {
        Ok(described) => {
            let Description { command_line, console, psci, .. } = &described.description;
            let early = Early { command_line: command_line.clone(), console: *console, psci: *psci };
            (early, Ok(described))
        }
        Err(error) => (device_tree::early(tree), Err(error)),
    };
    let console_absent = use_console(early.console);
    use_conduit(early.psci);
    HandedOver { described, command_line: early.command_line, console_absent }
}

/// The description to go by: that of a file of the host if the user names one, else what was handed over.
pub(crate) fn chosen(handed_over: Result<Described, String>, options: &Options) -> Result<Described, String> {
    let Some(name) = &options.device_tree_file else { return handed_over };
    let file = semihosting::read_file(name).map_err(|error| format!("dtb={name}: {error}"))?;
    log!("device tree: {name}, {} bytes", file.len());
    let mut described = describe(Cow::Owned(file))?;
    let Description { console, psci, findings, .. } = &mut described.description;
    findings.extend(use_console(*console));
    use_conduit(*psci);
    Ok(described)
}

fn describe(tree: Cow<'static, [u8]>) -> Result<Described, String> {
    let (description, map) = device_tree::describe(&tree).map_err(|error| error.to_string())?;
    Ok(Described { description, map, tree })
}

/// Gives the memory that the description leaves free to the heap.
///
/// Memory that cannot be used costs no more than itself: the findings say which, and the run goes on with
/// the heap that it has.
pub(crate) fn use_memory(handover: &Handover, described: &Described) -> Vec<Finding> {
    let Described { description, tree, .. } = described;
    let mut reserved: Vec<Range<PhysAddr>> = description.reserved.clone();
    reserved.push(handover.image);
    reserved.extend(Range::from_size(PhysAddr(tree.as_ptr().addr() as u64), tree.len() as u64));
    let handed_over = PhysAddr(handover.firmware_argument);
    reserved.extend(Range::from_size(handed_over, u64::from(blob::DEVICE_TREE_LIMIT)));

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
    // SAFETY: Firmware says that this is RAM; the image, with the early heap, and both device trees are left
    // out. It is called once.
    unsafe { heap::add_free_memory(&description.memory, &reserved, &mut refused) };
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
        Some(PsciConduit::Hvc) => power::set_conduit(power::Conduit::Hvc),
        Some(PsciConduit::Smc) => power::set_conduit(power::Conduit::Smc),
        None => {}
    }
}
