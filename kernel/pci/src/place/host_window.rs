//! Checks the windows of host bridges that firmware describes.
//!
//! Firmware alone describes where the addresses of a bus are in the CPU's address space; no register confirms it. A
//! wrong window would lead to the registers of other devices, so its wrong part is cut out before anything is placed
//! there. The rest is kept.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};

use crate::topology::root_bus::RootBus;

/// Bits that are equal in an address on the bus and in the CPU's address for it: the CPU maps whole pages, and a BAR
/// is aligned to its own size on the bus.
const PAGE_OFFSET: u64 = 0xfff;

/// CPU addresses where no window can be.
#[derive(Clone, Copy, Debug)]
pub struct Occupied<'a> {
    /// The addresses.
    pub range: Range<PhysAddr>,
    /// What is at these addresses.
    pub by: &'a str,
}

/// A window that cannot be used, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowFault {
    /// The index of its root bus.
    pub root: usize,
    /// The window as firmware describes it.
    pub window: PciWindow,
    /// The reason.
    pub error: WindowError,
}

/// Why a window cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The two addresses have different offsets in a page.
    #[error("bus and CPU address have different page offsets; the window is not used")]
    Misaligned,
    /// Its end is beyond the bus's address space.
    #[error("it ends beyond the last address of the bus; the window is not used")]
    Wraps,
    /// The CPU does not have these addresses.
    #[error("the CPU cannot address {0}; that part of the window is not used")]
    Unaddressable(Range<PhysAddr>),
    /// Something else has these CPU addresses.
    #[error("CPU addresses {part} belong to {by}; that part of the window is not used")]
    Occupied {
        /// The addresses in question.
        part: Range<PhysAddr>,
        /// What is at these addresses.
        by: String,
    },
    /// An earlier window has these bus addresses.
    #[error("bus addresses {:#x} to {:#x} are in an earlier window; that part of the window is not used", .0.start(), .0.end())]
    Repeated(Range<u64>),
}

/// Removes the unusable parts from the windows of `roots`, and returns them with the reasons.
///
/// `last_address` is the highest address of the CPU. If two windows overlap, the one that firmware describes first
/// keeps the addresses.
pub fn review_windows(
    roots: &mut [RootBus],
    occupied: &[Occupied<'_>],
    last_address: PhysAddr,
) -> Vec<WindowFault> {
    let beyond = last_address.checked_add(1).and_then(|first| Range::new(first, PhysAddr(u64::MAX)));
    let mut faults = Vec::new();
    let mut earlier: Vec<(usize, PciWindow)> = Vec::new();
    for (root, bus) in roots.iter_mut().enumerate() {
        let mut usable = Vec::new();
        for window in core::mem::take(&mut bus.windows) {
            let mut fault = |error| faults.push(WindowFault { root, window, error });
            let mut pieces = review(window, root, &earlier, occupied, &mut fault);
            if let Some(part) = beyond.and_then(|beyond| common(&window.cpu, &beyond))
                && !pieces.is_empty()
            {
                cut(&mut pieces, part);
                fault(WindowError::Unaddressable(part));
            }
            earlier.extend(pieces.iter().map(|piece| (root, *piece)));
            usable.append(&mut pieces);
        }
        bus.windows = usable;
    }
    faults
}

fn review(
    window: PciWindow,
    root: usize,
    earlier: &[(usize, PciWindow)],
    occupied: &[Occupied<'_>],
    fault: &mut dyn FnMut(WindowError),
) -> Vec<PciWindow> {
    if (window.bus_start ^ window.cpu.start().0) & PAGE_OFFSET != 0 {
        fault(WindowError::Misaligned);
        return Vec::new();
    }
    let Some(on_bus) = bus_range(&window) else {
        fault(WindowError::Wraps);
        return Vec::new();
    };
    let mut pieces = Vec::from([window]);
    for Occupied { range, by } in occupied {
        if let Some(part) = common(&window.cpu, range) {
            cut(&mut pieces, part);
            fault(WindowError::Occupied { part, by: (*by).to_owned() });
        }
    }
    for (other_root, other) in earlier {
        let on_other = bus_range(other).filter(|_| *other_root == root && is_io(other) == is_io(&window));
        if let Some(part) = on_other.and_then(|range| common(&on_bus, &range)) {
            let start = PhysAddr(window.cpu.start().0 + (part.start() - window.bus_start));
            cut(&mut pieces, Range::from_size(start, part.size()).unwrap_or(window.cpu));
            fault(WindowError::Repeated(part));
        }
        // If the bus addresses overlap as well, that was reported above.
        let parts: Vec<_> = pieces.iter().filter_map(|piece| common(&piece.cpu, &other.cpu)).collect();
        for part in parts {
            cut(&mut pieces, part);
            fault(WindowError::Occupied { part, by: "an earlier window".to_owned() });
        }
    }
    pieces
}

/// The addresses of the window on the bus; none if they do not fit into 64 bits.
pub(crate) fn bus_range(window: &PciWindow) -> Option<Range<u64>> {
    Range::from_size(window.bus_start, window.cpu.size())
}

pub(crate) fn is_io(window: &PciWindow) -> bool {
    window.space == PciSpace::Io
}

fn common<A: Copy + Ord>(one: &Range<A>, other: &Range<A>) -> Option<Range<A>> {
    Range::new(one.start().max(other.start()), one.end().min(other.end()))
}

/// Removes the CPU addresses in `hole` from all `pieces`.
fn cut(pieces: &mut Vec<PciWindow>, hole: Range<PhysAddr>) {
    let whole = core::mem::take(pieces);
    for piece in whole {
        if !piece.cpu.overlaps(&hole) {
            pieces.push(piece);
            continue;
        }
        let (start, end) = (piece.cpu.start().0, piece.cpu.end().0);
        let mut keep = |first: Option<u64>, last: Option<u64>| {
            if let (Some(first), Some(last)) = (first, last)
                && let Some(cpu) = Range::new(PhysAddr(first), PhysAddr(last))
            {
                pieces.push(PciWindow { bus_start: piece.bus_start + (first - start), cpu, ..piece });
            }
        };
        keep(Some(start), hole.start().0.checked_sub(1));
        keep(hole.end().0.checked_add(1), Some(end));
    }
}
