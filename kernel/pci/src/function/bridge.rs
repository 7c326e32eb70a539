//! What a PCI-to-PCI bridge forwards: bus numbers and windows.

use alloc::vec::Vec;

use addr::{PciAddress, Range};

use crate::config::access::{Command, ConfigAccess, register};
use crate::enumerate::Resources;

/// The bridge half of a function with header type 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// Which buses it forwards to; none if no number was left for it, and then it forwards nothing.
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

/// Type bits in the lowest digit of a window register: addresses go beyond the register.
const WIDE: u16 = 1;

/// Reads what a bridge can forward, and under [`Resources::Keep`] what it does.
pub(crate) fn read(
    config: &mut dyn ConfigAccess,
    at: PciAddress,
    buses: Option<BusNumbers>,
    resources: Resources,
) -> BridgeInfo {
    let mut io = config.read16(at, register::IO_WINDOW);
    if io == 0 {
        // Zero is also what an open window at 0 reads: only writing tells whether there is one.
        config.write16(at, register::IO_WINDOW, 0xe0f0);
        io = config.read16(at, register::IO_WINDOW);
        config.write16(at, register::IO_WINDOW, 0);
    }
    let has_io = io != 0;
    let wide_prefetch = config.read16(at, register::PREFETCH_WINDOW) & 0xf == WIDE;
    let mut windows = Vec::new();
    if resources == Resources::Keep {
        windows.extend(WindowKind::ALL.into_iter().filter_map(|kind| read_window(config, at, kind)));
    }
    BridgeInfo { buses, windows, has_io, wide_prefetch }
}

/// What is open in one of the windows, by its registers.
pub(crate) fn read_window(
    config: &dyn ConfigAccess,
    at: PciAddress,
    kind: WindowKind,
) -> Option<BridgeWindow> {
    let (base, limit) = match kind {
        WindowKind::Io => {
            let window = config.read16(at, register::IO_WINDOW);
            (u64::from(window & 0xf0) << 8, u64::from(window & 0xf000))
        }
        WindowKind::Memory => halves(config.read32(at, register::MEMORY_WINDOW)),
        WindowKind::Prefetchable => {
            let window = config.read32(at, register::PREFETCH_WINDOW);
            let (base, limit) = halves(window);
            if window as u16 & 0xf == WIDE {
                let upper = |offset| u64::from(config.read32(at, offset)) << 32;
                (base | upper(register::PREFETCH_BASE_UPPER), limit | upper(register::PREFETCH_LIMIT_UPPER))
            } else {
                (base, limit)
            }
        }
    };
    // An open window at 0 is what reset leaves. Firmware puts none there, except for I/O, which the bridge then
    // forwards.
    let is_placed = |range: &Range<u64>| {
        let forwards_io = || config.read16(at, register::COMMAND) & Command::IO.bits() != 0;
        range.start() != 0 || kind == WindowKind::Io && forwards_io()
    };
    let range = Range::new(base, limit | (kind.granule() - 1)).filter(is_placed)?;
    Some(BridgeWindow { kind, range })
}

fn halves(register: u32) -> (u64, u64) {
    (u64::from(register & 0xfff0) << 16, u64::from(register & 0xfff0_0000))
}

impl BridgeInfo {
    /// The open window of a kind.
    pub(crate) fn window(&self, kind: WindowKind) -> Option<Range<u64>> {
        self.windows.iter().find(|window| window.kind == kind).map(|window| window.range)
    }

    /// Writes all three windows; those that are not open are closed, with the base above the limit.
    pub(crate) fn write_windows(&self, config: &mut dyn ConfigAccess, at: PciAddress) {
        let range = |kind| self.window(kind);
        if self.has_io {
            let io = range(WindowKind::Io)
                .map_or(0x00f0, |range| (range.start() >> 8 & 0xf0 | range.end() & 0xf000) as u16);
            config.write16(at, register::IO_WINDOW, io);
            config.write32(at, register::IO_WINDOW_UPPER, 0);
        }
        let register_of =
            |range: Range<u64>| (range.start() >> 16 & 0xfff0 | range.end() & 0xfff0_0000) as u32;
        let memory = range(WindowKind::Memory).map_or(0x0000_fff0, register_of);
        config.write32(at, register::MEMORY_WINDOW, memory);
        let prefetch = range(WindowKind::Prefetchable);
        // Closed first, so that no half-written window is ever open.
        config.write32(at, register::PREFETCH_WINDOW, 0x0000_fff0);
        if self.wide_prefetch {
            let (base, limit) = prefetch.map_or((0, 0), |range| (range.start(), range.end()));
            config.write32(at, register::PREFETCH_BASE_UPPER, (base >> 32) as u32);
            config.write32(at, register::PREFETCH_LIMIT_UPPER, (limit >> 32) as u32);
        }
        if let Some(range) = prefetch {
            config.write32(at, register::PREFETCH_WINDOW, register_of(range));
        }
    }
}
