//! Free addresses in the windows of a host bridge.

use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, Range};

use crate::function::bar::{Bar, BarKind};
use crate::function::bridge::WindowKind;

const GIB_4: u64 = 1 << 32;
/// I/O addresses below `IO_MIN` are left to legacy devices (Linux: `PCIBIOS_MIN_IO`). Bridges without 32-bit I/O
/// windows end at 64 KiB.
const IO_MIN: u64 = 0x1000;
const IO_END: u64 = 0x1_0000;
/// A memory BAR with address 0 counts as unplaced.
const MEMORY_MIN: u64 = 0x10_0000;

/// Where a BAR or block may be placed; where it is placed first if possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// I/O space below 64 KiB.
    Io,
    /// Below 4 GiB, not prefetchable.
    Low,
    /// Below 4 GiB, in prefetchable windows first.
    LowPrefetchable,
    /// As [`Self::Low`], or above 4 GiB if that is full.
    LowOrHigh,
    /// Above 4 GiB, or else below.
    HighOrLow,
    /// Above 4 GiB.
    High,
}

impl Wish {
    /// Where the block behind a bridge may be placed.
    pub(crate) fn block(kind: WindowKind) -> Self {
        match kind {
            WindowKind::Io => Self::Io,
            WindowKind::Memory => Self::Low,
            WindowKind::Prefetchable => Self::High,
        }
    }

    /// Where a BAR that goes into a window of this kind may be placed, directly on a root bus or behind bridges.
    pub(crate) fn bar(bar: &Bar, kind: WindowKind, on_root_bus: bool) -> Self {
        if !on_root_bus {
            return Self::block(kind);
        }
        match bar.kind {
            BarKind::Io => Self::Io,
            BarKind::Memory { wide: true, prefetchable: true } => Self::HighOrLow,
            BarKind::Memory { wide: true, prefetchable: false } => Self::LowOrHigh,
            BarKind::Memory { wide: false, prefetchable: true } => Self::LowPrefetchable,
            BarKind::Memory { wide: false, prefetchable: false } => Self::Low,
        }
    }

    fn places(self) -> &'static [WindowPlace] {
        match self {
            Self::Io => &[WindowPlace::Io],
            Self::Low => &[WindowPlace::Low],
            Self::LowPrefetchable => &[WindowPlace::LowPrefetchable, WindowPlace::Low],
            Self::LowOrHigh => &[WindowPlace::Low, WindowPlace::High],
            Self::HighOrLow => &[
                WindowPlace::HighPrefetchable,
                WindowPlace::High,
                WindowPlace::LowPrefetchable,
                WindowPlace::Low,
            ],
            Self::High => &[WindowPlace::HighPrefetchable, WindowPlace::High],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowPlace {
    Io,
    Low,
    LowPrefetchable,
    High,
    HighPrefetchable,
}

/// Free addresses of one host bridge, in bus addresses.
#[derive(Clone, Debug)]
pub(crate) struct Pools(Vec<Free>);

/// A free part of a window, both ends included.
#[derive(Clone, Copy, Debug)]
struct Free {
    place: WindowPlace,
    start: u64,
    end: u64,
}

impl Pools {
    pub(crate) fn new(windows: &[PciWindow]) -> Self {
        let mut free = Vec::new();
        for window in windows {
            let start = window.bus_start;
            let end = start.saturating_add(window.cpu.size() - 1);
            let mut add = |place, low: u64, high: u64| {
                let (start, end) = (start.max(low), end.min(high));
                if start <= end {
                    free.push(Free { place, start, end });
                }
            };
            // The addresses decide, not the space code: firmware may describe a low window as 64-bit.
            match (window.space, window.prefetchable) {
                (PciSpace::Io, _) => add(WindowPlace::Io, IO_MIN, IO_END - 1),
                (_, false) => {
                    add(WindowPlace::Low, MEMORY_MIN, GIB_4 - 1);
                    add(WindowPlace::High, GIB_4, u64::MAX);
                }
                (_, true) => {
                    add(WindowPlace::LowPrefetchable, MEMORY_MIN, GIB_4 - 1);
                    add(WindowPlace::HighPrefetchable, GIB_4, u64::MAX);
                }
            }
        }
        Self(free)
    }

    pub(crate) fn has_io(&self) -> bool {
        self.largest(Wish::Io) > 0
    }

    pub(crate) fn has_high(&self) -> bool {
        self.largest(Wish::High) > 0
    }

    /// The size in bytes of the largest free part where it may be placed.
    pub(crate) fn largest(&self, wish: Wish) -> u64 {
        let pieces = self.0.iter().filter(|free| wish.places().contains(&free.place));
        pieces.map(|free| (free.end - free.start).saturating_add(1)).max().unwrap_or(0)
    }

    /// Removes `range` as far as it is free: it is in use.
    pub(crate) fn reserve(&mut self, range: Range<u64>, io: bool) {
        for index in (0..self.0.len()).rev() {
            let free = self.0[index];
            let start = range.start().max(free.start);
            if (free.place == WindowPlace::Io) == io && start <= range.end().min(free.end) {
                self.split(index, start, range.end().min(free.end));
            }
        }
    }

    /// Takes exactly `range`, if all of it is free; returns whether it was.
    pub(crate) fn take_exactly(&mut self, range: Range<u64>, io: bool) -> bool {
        let has_it = |free: &Free| {
            (free.place == WindowPlace::Io) == io && free.start <= range.start() && range.end() <= free.end
        };
        let index = self.0.iter().position(has_it);
        index.map(|index| self.split(index, range.start(), range.end())).is_some()
    }

    /// Takes `size` bytes at a multiple of `alignment` out of the first part with enough room.
    pub(crate) fn take(&mut self, wish: Wish, size: u64, alignment: u64) -> Option<u64> {
        for place in wish.places() {
            for index in 0..self.0.len() {
                let free = self.0[index];
                if free.place != *place {
                    continue;
                }
                let Some(address) = fit(free, size, alignment) else { continue };
                self.split(index, address, address + (size - 1));
                return Some(address);
            }
        }
        None
    }

    /// Takes the addresses from `first` to `last` out of the part that contains them.
    fn split(&mut self, index: usize, first: u64, last: u64) {
        let free = self.0[index];
        let (before, after) = (first.checked_sub(1), last.checked_add(1));
        let rest_before = before.filter(|end| *end >= free.start).map(|end| Free { end, ..free });
        let rest_after = after.filter(|start| *start <= free.end).map(|start| Free { start, ..free });
        match (rest_before, rest_after) {
            (Some(before), Some(after)) => {
                self.0[index] = after;
                self.0.insert(index, before);
            }
            (Some(rest), None) | (None, Some(rest)) => self.0[index] = rest,
            (None, None) => {
                self.0.remove(index);
            }
        }
    }
}

fn fit(free: Free, size: u64, alignment: u64) -> Option<u64> {
    let address = free.start.checked_next_multiple_of(alignment)?;
    let last = address.checked_add(size.checked_sub(1)?)?;
    (last <= free.end).then_some(address)
}
