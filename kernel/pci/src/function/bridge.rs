//! What a PCI-to-PCI bridge forwards: bus numbers and windows.

use alloc::vec::Vec;

use addr::Range;

use crate::function::index::BusIndex;

/// The bridge half of a function with header type 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// The bus directly behind it; none if no number was left for that.
    pub bus: Option<BusIndex>,
    /// Numbers of the buses that it forwards to; none if no number was left, and then it forwards nothing.
    pub buses: Option<BusNumbers>,
    /// Its open windows, in bus addresses.
    pub windows: Vec<BridgeWindow>,
    /// Whether it has an I/O window at all.
    pub has_io: bool,
    /// Whether its prefetchable window takes addresses above 4 GiB.
    pub wide_prefetch: bool,
}

/// The buses behind a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusNumbers {
    /// The bus directly behind it.
    pub secondary: u8,
    /// The highest bus behind it.
    pub subordinate: u8,
}

/// An open window of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeWindow {
    /// Which of the three.
    pub kind: WindowKind,
    /// What it forwards, in bus addresses.
    pub range: Range<u64>,
}

/// The three windows of a bridge (PCI-to-PCI Bridge 1.2, section 3.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WindowKind {
    /// I/O, granule 4 KiB.
    Io,
    /// Memory below 4 GiB, granule 1 MiB.
    Memory,
    /// Prefetchable memory, here always above 4 GiB, granule 1 MiB.
    Prefetchable,
}

impl WindowKind {
    /// All three, in register order.
    pub(crate) const ALL: [Self; 3] = [Self::Io, Self::Memory, Self::Prefetchable];

    /// For messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Io => "I/O",
            Self::Memory => "memory",
            Self::Prefetchable => "prefetchable",
        }
    }

    /// Window addresses are multiples of this.
    pub(crate) const fn granule(self) -> u64 {
        match self {
            Self::Io => 0x1000,
            Self::Memory | Self::Prefetchable => 0x10_0000,
        }
    }
}

impl BridgeInfo {
    /// The open window of a kind.
    pub(crate) fn window(&self, kind: WindowKind) -> Option<Range<u64>> {
        self.windows.iter().find(|window| window.kind == kind).map(|window| window.range)
    }
}
