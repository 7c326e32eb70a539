//! From a node's `reg` to addresses as the CPU sees them (Devicetree Specification 0.4, sections 2.3.5 to 2.3.8).

use alloc::vec::Vec;
use core::fmt;

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

impl fmt::Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#address-cells {} and #size-cells {}", self.address, self.size)
    }
}

/// Why there is no CPU address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    #[error("the last {0} bytes are not a whole entry")]
    Length(usize),
    #[error("the parent has 0 address cells or 0 size cells, so the entries are not registers")]
    NoCells,
    #[error("a parent bus has {0}, expected 1 to {MAX_CELLS} of each")]
    TooManyCells(Cells),
    #[error("an entry exceeds the 64-bit address space")]
    Overflow,
    #[error("an entry has length 0")]
    Empty,
    #[error("a parent bus has no `ranges`, so the CPU cannot reach it")]
    NoRanges,
    #[error("no `ranges` entry of a parent bus contains all of it")]
    OutOfRanges,
    #[error("there are more than {MAX_REGS} entries")]
    TooManyRegs,
}

/// Most cells of an address, and of a size (Linux: `OF_MAX_ADDR_CELLS`).
const MAX_CELLS: usize = 4;

impl Cells {
    /// Linux's default, where neither a bus nor any bus above it specifies them (`OF_ROOT_NODE_ADDR_CELLS_DEFAULT`).
    const DEFAULT: Self = Self { address: 1, size: 1 };

    /// Whether addresses of so many cells can be translated (Linux: `OF_CHECK_COUNTS`).
    pub(super) fn check(self) -> Result<Self, AddressError> {
        match self {
            Self { address: 0, .. } | Self { size: 0, .. } => Err(AddressError::NoCells),
            Self { address: ..=MAX_CELLS, size: ..=MAX_CELLS } => Ok(self),
            _ => Err(AddressError::TooManyCells(self)),
        }
    }

    /// Bytes of an entry of `reg`.
    pub(super) fn bytes(self) -> usize {
        4 * (self.address + self.size)
    }
}

/// Cells of the children of `bus`. What it does not say is as on the nearest bus around it that does (Linux:
/// `of_bus_n_addr_cells`; the specification has 2 and 1 for it, section 2.3.5).
pub(super) fn child_cells(tree: &Tree, bus: NodeIndex) -> Cells {
    let nearest = |which: usize| tree.ancestry(bus).find_map(|node| tree.own_cells(node)[which]);
    Cells {
        address: nearest(0).map_or(Cells::DEFAULT.address, |cells| cells as usize),
        size: nearest(1).map_or(Cells::DEFAULT.size, |cells| cells as usize),
    }
}

/// The big-endian number in `bytes`, of which there are at most 16.
#[inline(never)]
pub(super) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// One entry of `reg`, as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reg {
    pub(super) address: u128,
    pub(super) size: u128,
}

/// The entries of `reg` of `node`, as CPU addresses; empty without a `reg`.
pub(super) fn registers(
    tree: &Tree,
    node: NodeIndex,
) -> Result<Vec<Result<Range<PhysAddr>, AddressError>>, AddressError> {
    ranges(tree, node, "reg")
}

/// The same for another property of this form. What follows the last whole entry is an error in the list (Linux:
/// `__of_get_address`).
pub(super) fn ranges(
    tree: &Tree,
    node: NodeIndex,
    name: &str,
) -> Result<Vec<Result<Range<PhysAddr>, AddressError>>, AddressError> {
    let (Some(value), Some(bus)) = (tree.property(node, name), tree.parent(node)) else {
        return Ok(Vec::new());
    };
    let cells = child_cells(tree, bus).check()?;
    let whole = value.chunks_exact(cells.bytes());
    let rest = match whole.remainder().len() {
        _ if whole.len() > MAX_REGS => Some(AddressError::TooManyRegs),
        0 => None,
        bytes => Some(AddressError::Length(bytes)),
    };
    let mut ranges = Vec::new();
    for bytes in whole.take(MAX_REGS) {
        let (address, size) = bytes.split_at(4 * cells.address);
        ranges.push(translate(tree, bus, Reg { address: number(address), size: number(size) }));
    }
    if let Some(error) = rest {
        ranges.push(Err(error));
    }
    Ok(ranges)
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
    outward(tree, bus, reg, "ranges", u128::MAX)
}

/// Where a device on `bus` that uses `address` for DMA arrives at the outermost bus (Linux:
/// `of_translate_dma_address`). A bus without `dma-ranges` changes nothing.
pub(super) fn dma_start(tree: &Tree, bus: NodeIndex, address: u128) -> Result<u64, AddressError> {
    // The flags in the first of a PCI address's three cells are not a part of it.
    const ADDRESS: u128 = u64::MAX as u128;
    outward(tree, bus, Reg { address: address & ADDRESS, size: 0 }, "dma-ranges", ADDRESS)
}

/// Through the property `name` of each bus; `mask` has the bits of a child's address that count.
fn outward(tree: &Tree, bus: NodeIndex, reg: Reg, name: &str, mask: u128) -> Result<u64, AddressError> {
    let mut at = reg.address;
    // The gate bounds the depth of the tree. The address space of the root's children is the CPU's.
    for bus in tree.ancestry(bus) {
        let Some(outer) = tree.parent(bus) else { break };
        at = match tree.property(bus, name) {
            None if name == "ranges" => return Err(AddressError::NoRanges),
            None | Some([]) => at,
            Some(ranges) => {
                let (inner, outer) = (child_cells(tree, bus).check()?, child_cells(tree, outer).check()?);
                through(ranges, [inner, outer], Reg { address: at, size: reg.size }, mask)?
            }
        };
    }
    u64::try_from(at).map_err(|_| AddressError::Overflow)
}

/// One step outward, through the `ranges` of a bus, which is not empty.
fn through(ranges: &[u8], [inner, outer]: [Cells; 2], reg: Reg, mask: u128) -> Result<u128, AddressError> {
    let entry = 4 * outer.address + inner.bytes();
    for entry in ranges.chunks_exact(entry).take(MAX_RANGES) {
        let (child, rest) = entry.split_at(4 * inner.address);
        let (parent, length) = rest.split_at(4 * outer.address);
        let (child, parent, length) = (number(child) & mask, number(parent), number(length));
        let Some(offset) = reg.address.checked_sub(child) else { continue };
        // Linux looks at the first address alone; a device that is half in a window is not usable.
        if offset < length && reg.size <= length - offset {
            return parent.checked_add(offset).ok_or(AddressError::Overflow);
        }
    }
    Err(AddressError::OutOfRanges)
}
