//! From a node's `reg` to addresses as the CPU sees them (Devicetree Specification 0.4, sections 2.3.5 to 2.3.8).

use alloc::vec::Vec;

use addr::{PhysAddr, Range};

use super::tree::{NodeIndex, Tree};

/// Most entries of one `ranges` property that are looked at.
pub(super) const MAX_RANGES: usize = 256;
/// Most entries of one `reg` property that are looked at.
pub(super) const MAX_REGS: usize = 256;

/// How many cells the children of a node have for an address and for a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) address: usize,
    pub(super) size: usize,
}

/// Why there is no CPU address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("its length is not a multiple of the {0} bytes of an entry")]
    Length(usize),
    #[error("its parent has 0 address cells or 0 size cells, so that its entries are no registers")]
    NoCells,
    #[error("an entry leaves the 64-bit address space")]
    Overflow,
    #[error("an entry has length 0")]
    Empty,
    #[error("a bus above it has no `ranges`, so that the CPU cannot reach it")]
    NoRanges,
    #[error("no entry of the `ranges` of a bus above it holds all of it")]
    OutOfRanges,
    #[error("the `ranges` of a bus above it have a length that is no multiple of their entries'")]
    BadRanges,
    #[error("the `ranges` of a bus above it have more than {MAX_RANGES} entries")]
    TooManyRanges,
    #[error("it has more than {MAX_REGS} entries")]
    TooManyRegs,
}

/// Cells of the children of `bus`; the specification's 2 and 1 where it does not say (section 2.3.5).
pub(super) fn child_cells(tree: &Tree, bus: NodeIndex) -> Cells {
    let cells = |name, default| tree.number(bus, name).map_or(default, |cells| cells as usize);
    Cells { address: cells("#address-cells", 2), size: cells("#size-cells", 1) }
}

/// The big-endian number in `bytes`, of which there are at most 16.
pub(super) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// One entry of `reg`, as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reg {
    pub(super) address: u128,
    pub(super) size: u128,
}

/// The entries of the value of a `reg`-like property of a node with these cells.
pub(super) fn entries(value: &[u8], cells: Cells) -> Result<Vec<Reg>, AddressError> {
    let entry = 4 * (cells.address + cells.size);
    if entry == 0 {
        return Err(AddressError::NoCells);
    }
    if !value.len().is_multiple_of(entry) {
        return Err(AddressError::Length(entry));
    }
    if value.len() / entry > MAX_REGS {
        return Err(AddressError::TooManyRegs);
    }
    let entries = value.chunks_exact(entry).map(|bytes| {
        let (address, size) = bytes.split_at(4 * cells.address);
        Reg { address: number(address), size: number(size) }
    });
    Ok(entries.collect())
}

/// What `reg` says of `node`, as the CPU sees it, entry by entry; no entries without a `reg`.
pub(super) fn registers(
    tree: &Tree,
    node: NodeIndex,
) -> Result<Vec<Result<Range<PhysAddr>, AddressError>>, AddressError> {
    let (Some(value), Some(bus)) = (tree.property(node, "reg"), tree.parent(node)) else {
        return Ok(Vec::new());
    };
    let cells = child_cells(tree, bus);
    if cells.address == 0 || cells.size == 0 {
        return Err(AddressError::NoCells);
    }
    let entries = entries(value, cells)?;
    Ok(entries.into_iter().map(|reg| translate(tree, bus, reg)).collect())
}

/// The CPU addresses of `reg`, which is in the address space of the children of `bus`.
pub(super) fn translate(tree: &Tree, bus: NodeIndex, reg: Reg) -> Result<Range<PhysAddr>, AddressError> {
    if reg.size == 0 {
        return Err(AddressError::Empty);
    }
    let address = start(tree, bus, reg)?;
    let size = u64::try_from(reg.size).map_err(|_| AddressError::Overflow)?;
    Range::from_size(PhysAddr(address), size).ok_or(AddressError::Overflow)
}

/// Where `reg` begins for the CPU; a length of 0 is good enough here, for a device's name.
pub(super) fn start(tree: &Tree, bus: NodeIndex, reg: Reg) -> Result<u64, AddressError> {
    let mut at = reg.address;
    // The gate bounds the depth of the tree. The address space of the root's children is the CPU's.
    for bus in tree.ancestry(bus) {
        let Some(outer) = tree.parent(bus) else { break };
        at = through(tree, bus, child_cells(tree, outer), at, reg.size)?;
    }
    u64::try_from(at).map_err(|_| AddressError::Overflow)
}

/// One step outward, through the `ranges` of `bus`.
fn through(tree: &Tree, bus: NodeIndex, outer: Cells, at: u128, size: u128) -> Result<u128, AddressError> {
    let ranges = tree.property(bus, "ranges").ok_or(AddressError::NoRanges)?;
    if ranges.is_empty() {
        return Ok(at);
    }
    let inner = child_cells(tree, bus);
    let entry = 4 * (inner.address + outer.address + inner.size);
    if entry == 0 || !ranges.len().is_multiple_of(entry) {
        return Err(AddressError::BadRanges);
    }
    if ranges.len() / entry > MAX_RANGES {
        return Err(AddressError::TooManyRanges);
    }
    for entry in ranges.chunks_exact(entry) {
        let (child, rest) = entry.split_at(4 * inner.address);
        let (parent, length) = rest.split_at(4 * outer.address);
        let (child, parent, length) = (number(child), number(parent), number(length));
        let Some(offset) = at.checked_sub(child) else { continue };
        // Linux looks at the first address alone; a device that is half in a window is not usable.
        if offset < length && size <= length - offset {
            return parent.checked_add(offset).ok_or(AddressError::Overflow);
        }
    }
    Err(AddressError::OutOfRanges)
}
