//! Where the description of the machine comes from, and what of it is used at once: consoles, PSCI, memory.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::Handover;
use firmware::device_tree;
use firmware::{Console, Description, PsciConduit};
use report::{Finding, Severity};

use crate::log;
use crate::machine::{blob, console, heap, power, semihosting};
use crate::options::Options;

/// What was handed over at entry: the device tree, if there is one, and the command line in it.
pub(crate) struct HandedOver {
    pub(crate) tree: Result<&'static [u8], String>,
    pub(crate) command_line: String,
}

/// Looks at what `x0` leads to, and uses the console and the way to end the run that it names.
pub(crate) fn handed_over(handover: &Handover) -> HandedOver {
    // SAFETY: Only `use_description` gives memory to the heap, and it leaves this tree out.
    let tree = unsafe { blob::device_tree(handover.firmware_argument) }.map_err(|error| error.to_string());
    let early = tree.as_ref().map(|tree| device_tree::early(tree)).unwrap_or_default();
    use_console(early.console);
    use_conduit(early.psci);
    HandedOver { tree, command_line: early.command_line }
}

/// The device tree that describes the machine: a file of the host if the user names one, else what was
/// handed over.
pub(crate) fn chosen(
    handed_over: Result<&'static [u8], String>,
    options: &Options,
) -> Result<Cow<'static, [u8]>, String> {
    match &options.device_tree_file {
        None => handed_over.map(Cow::Borrowed),
        Some(name) => {
            let file = semihosting::read_file(name).map_err(|error| format!("dtb={name}: {error}"))?;
            log!("device tree: {name}, {} bytes", file.len());
            Ok(Cow::Owned(file))
        }
    }
}

/// Uses what the description says of console, PSCI and memory.
///
/// Memory that cannot be used costs no more than itself: the finding says which, and the run goes on with
/// the heap that it has.
pub(crate) fn use_description(
    handover: &Handover,
    tree: &[u8],
    description: &Description,
) -> Option<Finding> {
    use_console(description.console);
    use_conduit(description.psci);
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
