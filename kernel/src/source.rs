//! Where the description of the machine comes from, and what of it is used at once: consoles, PSCI, memory.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::Handover;
use firmware::device_tree::{self, DeviceTreeMap, Early};
use firmware::{Console, Description, PsciConduit};
use report::{Finding, Severity};

use crate::log;
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
}

/// Reads what `x0` leads to, and uses the console and the way to end the run that it names.
pub(crate) fn handed_over(handover: &Handover) -> HandedOver {
    // SAFETY: Only `use_memory` gives memory to the heap, and it leaves this tree out.
    let tree = match unsafe { blob::device_tree(handover.firmware_argument) } {
        Ok(tree) => tree,
        Err(error) => return HandedOver { described: Err(error.to_string()), command_line: String::new() },
    };
    let (early, described) = match describe(Cow::Borrowed(tree)) {
        Ok(described) => {
            let Description { command_line, console, psci, .. } = &described.description;
            let early = Early { command_line: command_line.clone(), console: *console, psci: *psci };
            (early, Ok(described))
        }
        Err(error) => (device_tree::early(tree), Err(error)),
    };
    use_console(early.console);
    use_conduit(early.psci);
    HandedOver { described, command_line: early.command_line }
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
pub(crate) fn use_memory(handover: &Handover, described: &Described) -> Option<Finding> {
    let Described { description, tree, .. } = described;
    let mut reserved: Vec<Range<PhysAddr>> = description.reserved.clone();
    reserved.push(handover.image);
    reserved.extend(Range::from_size(PhysAddr(tree.as_ptr().addr() as u64), tree.len() as u64));
    let handed_over = PhysAddr(handover.firmware_argument);
    reserved.extend(Range::from_size(handed_over, u64::from(blob::DEVICE_TREE_LIMIT)));
    // SAFETY: Firmware says that this is RAM; the image, with the early heap, and both device trees are left
    // out. It is called once.
    let added = unsafe { heap::add_free_memory(&description.memory, &reserved) };
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
