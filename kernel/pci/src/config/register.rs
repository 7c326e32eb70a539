//! Registers of the header (PCI Local Bus 3.0, section 6.1; PCI-to-PCI Bridge 1.2, section 3.2), by offset.

pub(crate) const ID: u16 = 0x00;
pub(crate) const COMMAND: u16 = 0x04;
pub(crate) const CLASS_REVISION: u16 = 0x08;
pub(crate) const CACHE_LINE_HEADER: u16 = 0x0c;
pub(crate) const BAR_0: u16 = 0x10;
pub(crate) const BUS_NUMBERS: u16 = 0x18;
pub(crate) const IO_WINDOW: u16 = 0x1c;
pub(crate) const MEMORY_WINDOW: u16 = 0x20;
pub(crate) const PREFETCH_WINDOW: u16 = 0x24;
pub(crate) const PREFETCH_BASE_UPPER: u16 = 0x28;
pub(crate) const PREFETCH_LIMIT_UPPER: u16 = 0x2c;
pub(crate) const SUBSYSTEM: u16 = 0x2c;
pub(crate) const ROM: u16 = 0x30;
pub(crate) const IO_WINDOW_UPPER: u16 = 0x30;
pub(crate) const CAPABILITIES: u16 = 0x34;
pub(crate) const BRIDGE_ROM: u16 = 0x38;
