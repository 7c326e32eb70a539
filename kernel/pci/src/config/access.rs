//! Access to configuration space.

use addr::PciAddress;

use crate::config::register;

/// Access to configuration space, 4,096 bytes for each function.
///
/// `offset` is below 4,096 and a multiple of the size of the access. Outside the addresses that the implementation
/// covers, reads return all ones and writes have no effect, as on a bus where no device answers.
pub trait ConfigAccess {
    /// Reads one byte.
    fn read8(&self, at: PciAddress, offset: u16) -> u8;
    /// Reads two bytes, little-endian.
    fn read16(&self, at: PciAddress, offset: u16) -> u16;
    /// Reads four bytes, little-endian.
    fn read32(&self, at: PciAddress, offset: u16) -> u32;
    /// Writes one byte.
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8);
    /// Writes two bytes, little-endian.
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16);
    /// Writes four bytes, little-endian.
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32);
}

/// Whether a function answers at `at`.
pub(crate) fn answers(config: &dyn ConfigAccess, at: PciAddress) -> bool {
    let id = config.read32(at, register::ID);
    // Linux: `pci_bus_generic_read_dev_vendor_id`. Some boards pull the bus down, so that an empty slot reads as
    // zero.
    id != 0 && id as u16 != 0xffff
}
