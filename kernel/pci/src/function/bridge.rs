//! What a PCI-to-PCI bridge forwards: bus numbers and windows.

use addr::Range;

use crate::function::index::BusIndex;

/// The bridge registers of a function with header type 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// The bus directly behind it; none if no number was left for that bus.
    pub bus: Option<BusIndex>,
    /// The numbers of the buses behind it; none if no number was left, and then it forwards nothing.
    pub buses: Option<BusNumbers>,
    /// Its windows.
    pub windows: Windows,
    /// Whether it implements the I/O window.
    pub has_io: bool,
    /// Whether its prefetchable window can hold addresses above 4 GiB.
    pub wide_prefetch: bool,
}

/// The numbers of the buses behind a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusNumbers {
    /// The bus directly behind it.
    pub secondary: u8,
    /// The highest bus behind it.
    pub subordinate: u8,
}

/// The addresses on the bus that each window of a bridge forwards, by [`WindowKind`]; none for a closed window.
pub type Windows = [Option<Range<u64>>; 3];

/// The three windows of a bridge (PCI-to-PCI Bridge 1.2, section 3.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WindowKind {
    /// I/O space, in units of 4 KiB.
    Io,
    /// Memory below 4 GiB, in units of 1 MiB.
    Memory,
    /// Prefetchable memory, in units of 1 MiB; this crate places it above 4 GiB only.
    Prefetchable,
}

impl WindowKind {
    /// All kinds, in register order.
    pub(crate) const ALL: [Self; 3] = [Self::Io, Self::Memory, Self::Prefetchable];

    /// The name for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Io => "I/O",
            Self::Memory => "memory",
            Self::Prefetchable => "prefetchable",
        }
    }

    /// Bytes; both ends of a window are multiples of this.
    pub(crate) const fn granule(self) -> u64 {
        match self {
            Self::Io => 0x1000,
            Self::Memory | Self::Prefetchable => 0x10_0000,
        }
    }
}

impl BridgeInfo {
    /// The addresses that a window forwards; none if it is closed.
    #[must_use]
    pub fn window(&self, kind: WindowKind) -> Option<Range<u64>> {
        self.windows[kind as usize]
    }

    /// Whether a single window forwards all of `range`, in I/O or in memory space.
    #[must_use]
    pub fn forwards(&self, range: &Range<u64>, io: bool) -> bool {
        let [in_io, memory, prefetchable] = &self.windows;
        let encloses = |window: &Option<Range<u64>>| window.is_some_and(|window| window.encloses(range));
        if io { encloses(in_io) } else { encloses(memory) || encloses(prefetchable) }
    }
}
