//! Reading the bridge registers.

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::config::window::{WIDE, read_window};
use crate::function::bridge::{BridgeInfo, BusNumbers, WindowKind};
use crate::policy::Resources;

/// Reads which windows a bridge implements, and under [`Resources::Keep`] the addresses in them.
pub(crate) fn read(
    config: &mut dyn ConfigAccess,
    at: PciAddress,
    buses: Option<BusNumbers>,
    resources: Resources,
) -> BridgeInfo {
    let mut io = config.read16(at, register::IO_WINDOW);
    if io == 0 {
        // An open window at 0 reads as zero too: only a write shows whether the window exists.
        config.write16(at, register::IO_WINDOW, 0xe0f0);
        io = config.read16(at, register::IO_WINDOW);
        config.write16(at, register::IO_WINDOW, 0);
    }
    let has_io = io != 0;
    let wide_prefetch = config.read16(at, register::PREFETCH_WINDOW) & 0xf == WIDE;
    let windows = match resources {
        Resources::Assign => [None; 3],
        Resources::Keep => WindowKind::ALL.map(|kind| read_window(config, at, kind)),
    };
    BridgeInfo { bus: None, buses, windows, has_io, wide_prefetch }
}
