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

/// Calls back with all CPU addresses where no window can be, and what is at these addresses.
pub type Occupied<'a> = dyn Fn(&mut dyn FnMut(Range<PhysAddr>, &str)) + 'a;

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
    occupied: &Occupied<'_>,
    last_address: PhysAddr,
) -> Vec<WindowFault> {
    let mut review = Review { usable: Vec::new(), first: 0, faults: Vec::new() };
    for (root, bus) in roots.iter_mut().enumerate() {
        for window in &bus.windows {
            review.add(root, *window, occupied, last_address);
        }
        bus.windows.clear();
    }
    for (root, window) in review.usable {
        roots[root].windows.push(window);
    }
    review.faults
}

/// The windows of all root buses, reviewed one by one.
struct Review {
    /// The usable parts of windows, each with its root bus.
    usable: Vec<(usize, PciWindow)>,
    /// Where the parts of the window in question begin.
    first: usize,
    faults: Vec<WindowFault>,
}

impl Review {
    /// Adds the usable parts of `window`.
    fn add(&mut self, root: usize, window: PciWindow, occupied: &Occupied<'_>, last_address: PhysAddr) {
        self.first = self.usable.len();
        let fault = |error| WindowFault { root, window, error };
        if (window.bus_start ^ window.cpu.start().0) & PAGE_OFFSET != 0 {
            return self.faults.push(fault(WindowError::Misaligned));
        }
        let Some(on_bus) = bus_range(&window) else {
            return self.faults.push(fault(WindowError::Wraps));
        };
        self.usable.push((root, window));
        occupied(&mut |range, by| {
            if let Some(part) = common(&window.cpu, &range) {
                self.cut(part);
                self.faults.push(fault(WindowError::Occupied { part, by: by.to_owned() }));
            }
        });
        for at in 0..self.first {
            let (other_root, other) = self.usable[at];
            let on_other =
                bus_range(&other).filter(|_| other_root == root && is_io(&other) == is_io(&window));
            if let Some(part) = on_other.and_then(|range| common(&on_bus, &range)) {
                let start = PhysAddr(window.cpu.start().0 + (part.start() - window.bus_start));
                self.cut(Range::from_size(start, part.size()).unwrap_or(window.cpu));
                self.faults.push(fault(WindowError::Repeated(part)));
            }
            // If the bus addresses overlap as well, that was reported above.
            for piece in self.first..self.usable.len() {
                if let Some(part) = common(&self.usable[piece].1.cpu, &other.cpu) {
                    let by = "an earlier window".to_owned();
                    self.faults.push(fault(WindowError::Occupied { part, by }));
                }
            }
            self.cut(other.cpu);
        }
        let beyond = last_address.checked_add(1).and_then(|first| Range::new(first, PhysAddr(u64::MAX)));
        if let Some(part) = beyond.and_then(|beyond| common(&window.cpu, &beyond))
            && self.first < self.usable.len()
        {
            self.cut(part);
            self.faults.push(fault(WindowError::Unaddressable(part)));
        }
    }

    /// Removes the CPU addresses in `hole` from all parts of the window in question.
    fn cut(&mut self, hole: Range<PhysAddr>) {
        if !self.usable[self.first..].iter().any(|(_, piece)| piece.cpu.overlaps(&hole)) {
            return;
        }
        for (root, piece) in self.usable.split_off(self.first) {
            let (start, end) = (piece.cpu.start().0, piece.cpu.end().0);
            let mut keep = |first: Option<u64>, last: Option<u64>| {
                if let (Some(first), Some(last)) = (first, last)
                    && let Some(cpu) = Range::new(PhysAddr(first), PhysAddr(last))
                {
                    let bus_start = piece.bus_start + (first - start);
                    self.usable.push((root, PciWindow { bus_start, cpu, ..piece }));
                }
            };
            if piece.cpu.overlaps(&hole) {
                keep(Some(start), hole.start().0.checked_sub(1));
                keep(hole.end().0.checked_add(1), Some(end));
            } else {
                keep(Some(start), Some(end));
            }
        }
    }
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
