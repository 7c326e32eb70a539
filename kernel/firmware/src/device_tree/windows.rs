//! Windows of a PCI host bridge: its `ranges`.
//!
//! Sources: the Open Firmware PCI bus binding, and Linux's `of_pci_range_parser_one` for malformed entries. The space
//! code of an entry distinguishes only I/O and memory; the address of a window determines its use. Juno and others call
//! a 64-bit window 32-bit, and the other way round.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, Range};
use probe::{Findings, Severity};

use super::address::{AddressError, Cells, MAX_RANGES, Reg, child_cells, number, translate};
use super::tree::{NodeIndex, Tree};
use crate::findings::TREE;

/// Cells of an address on a PCI bus: one with flags, and 64 bits.
const PCI_CELLS: Cells = Cells { address: 3, size: 2 };

/// Flags in the first cell of a PCI address (Open Firmware PCI binding, section 2.2.1.1).
mod phys_hi {
    pub(super) const PREFETCHABLE: u32 = 1 << 30;
    pub(super) const SPACE_SHIFT: u32 = 24;
    pub(super) const SPACE_MASK: u32 = 3;
    pub(super) const SPACE_IO: u32 = 1;
    pub(super) const SPACE_MEMORY_32: u32 = 2;
    pub(super) const SPACE_MEMORY_64: u32 = 3;
}

/// An entry of `ranges` that does not describe a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum WindowError {
    #[error("first cell {flags:#x} means configuration space, which has no window")]
    ConfigurationSpace { flags: u32 },
    #[error("{size:#x} bytes at bus address {bus_start:#x} do not fit into {bits} bits")]
    TooLarge { size: u128, bus_start: u64, bits: u32 },
    #[error("CPU address {address:#x}: {error}")]
    Cpu { address: u128, error: AddressError },
}

/// The windows that `ranges` describes, and those that Linux sees there if they are others; what cannot be one is
/// left out with a finding.
///
/// A PCI bus has 3 cells for an address and 2 for a size, whatever its properties contain. Linux uses these numbers for
/// its children (`of_bus_pci_count_cells`), but not for its `ranges`.
pub(super) fn read(
    tree: &Tree,
    node: NodeIndex,
    findings: &mut Findings,
) -> (Vec<PciWindow>, Option<Vec<PciWindow>>) {
    let inner = child_cells(tree, node);
    if inner == PCI_CELLS {
        return (with_cells(tree, node, PCI_CELLS, findings), None);
    }
    let why = format!("{inner}, expected {PCI_CELLS}; ranges is read with the expected cells");
    findings.add("pci-cells-malformed", Severity::Warning, tree.path(node), why);
    let in_linux = with_cells(tree, node, inner, &mut Findings::about(&TREE));
    (with_cells(tree, node, PCI_CELLS, findings), Some(in_linux))
}

fn with_cells(tree: &Tree, node: NodeIndex, inner: Cells, findings: &mut Findings) -> Vec<PciWindow> {
    let mut windows: Vec<PciWindow> = Vec::new();
    let mut say = |severity, entry: &str, why: &str| {
        let place = format!("{}:ranges{entry}", tree.path(node));
        findings.add("pci-ranges-malformed", severity, place, String::from(why));
    };
    let (Some(ranges), Some(bus)) = (tree.property(node, "ranges"), tree.parent(node)) else {
        say(Severity::Error, "", "missing; the memory of its devices cannot be reached");
        return windows;
    };
    let (inner, outer) = match (inner.check(), child_cells(tree, bus).check()) {
        (Ok(inner), Ok(outer)) => (inner, outer),
        (Err(error), _) | (_, Err(error)) => {
            say(Severity::Error, "", &format!("{error}; the property is ignored"));
            return windows;
        }
    };
    let entries = ranges.chunks_exact(4 * outer.address + inner.bytes());
    let rest = entries.remainder().len();
    if entries.len() > MAX_RANGES {
        say(
            Severity::Warning,
            "",
            &format!("{} entries, expected at most {MAX_RANGES}; the rest is ignored", entries.len()),
        );
    } else if rest > 0 {
        let why = format!("the last {rest} bytes are not a whole entry; they are ignored");
        say(Severity::Warning, "", &why);
    }
    for (number_of_entry, entry) in entries.take(MAX_RANGES).enumerate() {
        match window(tree, bus, entry, inner, outer) {
            Ok(None) => {}
            Ok(Some(window)) => match windows.last_mut() {
                Some(last) if joins(last, &window) => {
                    if let Some(cpu) = Range::new(last.cpu.start(), window.cpu.end()) {
                        last.cpu = cpu;
                    }
                }
                _ => windows.push(window),
            },
            Err(why) => say(
                Severity::Warning,
                &format!("[{number_of_entry}]"),
                &format!("{why}; the entry is ignored"),
            ),
        }
    }
    windows
}

/// One entry of `ranges`; none for an empty one.
///
/// # Errors
///
/// It does not describe a window.
fn window(
    tree: &Tree,
    bus: NodeIndex,
    entry: &[u8],
    inner: Cells,
    outer: Cells,
) -> Result<Option<PciWindow>, WindowError> {
    let (child, rest) = entry.split_at(4 * inner.address);
    let (parent, length) = rest.split_at(4 * outer.address);
    let (flags, bus_start) = child.split_at(4);
    let (flags, bus_start) = (number(flags) as u32, number(bus_start) as u64);
    let size = number(length);
    if size == 0 {
        return Ok(None);
    }
    let (space, bits) = match flags >> phys_hi::SPACE_SHIFT & phys_hi::SPACE_MASK {
        phys_hi::SPACE_IO => (PciSpace::Io, 32),
        phys_hi::SPACE_MEMORY_32 => (PciSpace::Memory32, 64),
        phys_hi::SPACE_MEMORY_64 => (PciSpace::Memory64, 64),
        _ => return Err(WindowError::ConfigurationSpace { flags }),
    };
    let bus_end = u128::from(bus_start) + size;
    if bus_end > 1 << bits {
        return Err(WindowError::TooLarge { size, bus_start, bits });
    }
    let address = number(parent);
    let cpu = translate(tree, bus, Reg { address, size });
    let cpu = cpu.map_err(|error| WindowError::Cpu { address, error })?;
    Ok(Some(PciWindow { space, prefetchable: flags & phys_hi::PREFETCHABLE != 0, bus_start, cpu }))
}

/// Whether `next` goes on where `last` ends, on both sides (Linux: `of_pci_range_parser_one`).
fn joins(last: &PciWindow, next: &PciWindow) -> bool {
    last.space == next.space
        && last.prefetchable == next.prefetchable
        && last.cpu.end().checked_add(1) == Some(next.cpu.start())
        && last.bus_start.checked_add(last.cpu.size()) == Some(next.bus_start)
}
