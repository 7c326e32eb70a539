//! The window registers of a bridge (PCI-to-PCI Bridge 1.2, section 3.2.5).

use addr::{PciAddress, Range};

use crate::config::access::ConfigAccess;
use crate::config::command::Command;
use crate::config::register;
use crate::function::bridge::{BridgeInfo, WindowKind};

/// Type bits of a window register: addresses have more bits than the register.
pub(crate) const WIDE: u16 = 1;

/// Reads one of the windows; none if it is closed.
pub(crate) fn read_window(config: &dyn ConfigAccess, at: PciAddress, kind: WindowKind) -> Option<Range<u64>> {
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
    // After reset, a window reads as open at 0. Firmware places no window there, except for I/O, which the bridge
    // then forwards.
    let is_placed = |range: &Range<u64>| {
        let forwards_io = || config.read16(at, register::COMMAND) & Command::IO.bits() != 0;
        range.start() != 0 || kind == WindowKind::Io && forwards_io()
    };
    Range::new(base, limit | (kind.granule() - 1)).filter(is_placed)
}

fn halves(register: u32) -> (u64, u64) {
    (u64::from(register & 0xfff0) << 16, u64::from(register & 0xfff0_0000))
}

impl BridgeInfo {
    /// Writes all three windows while the bridge does not forward. A closed one gets a base above its limit.
    pub(crate) fn write_windows(&self, config: &mut dyn ConfigAccess, at: PciAddress) {
        let range = |kind| self.window(kind);
        if self.has_io {
            let io = range(WindowKind::Io)
                .map_or(0x00f0, |range| (range.start() >> 8 & 0xf0 | range.end() & 0xf000) as u16);
            config.write16(at, register::IO_WINDOW, io);
            if config.read32(at, register::IO_WINDOW_UPPER) != 0 {
                config.write32(at, register::IO_WINDOW_UPPER, 0);
            }
        }
        let register_of =
            |range: Range<u64>| (range.start() >> 16 & 0xfff0 | range.end() & 0xfff0_0000) as u32;
        let memory = range(WindowKind::Memory).map_or(0x0000_fff0, register_of);
        config.write32(at, register::MEMORY_WINDOW, memory);
        let prefetch = range(WindowKind::Prefetchable);
        config.write32(at, register::PREFETCH_WINDOW, prefetch.map_or(0x0000_fff0, register_of));
        if self.wide_prefetch {
            let (base, limit) = prefetch.map_or((0, 0), |range| (range.start(), range.end()));
            config.write32(at, register::PREFETCH_BASE_UPPER, (base >> 32) as u32);
            config.write32(at, register::PREFETCH_LIMIT_UPPER, (limit >> 32) as u32);
        }
    }
}
