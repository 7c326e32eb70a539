//! Configuration space of the whole machine: one window for each host bridge.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use pci::ConfigAccess;

use crate::machine::ecam::Ecam;
use crate::machine::registers::RegistersError;

/// The windows of all host bridges; if none covers an address, no device answers there.
#[derive(Default)]
pub(crate) struct ConfigSpace(Vec<Ecam>);

impl ConfigSpace {
    /// Adds the window of a host bridge.
    ///
    /// # Errors
    ///
    /// As [`Ecam::new`]; the window is then not added.
    pub(crate) fn add(
        &mut self,
        window: Range<PhysAddr>,
        segment: u16,
        first_bus: u8,
        last_bus: u8,
    ) -> Result<(), RegistersError> {
        self.0.push(Ecam::new(window, segment, first_bus, last_bus)?);
        Ok(())
    }

    fn window(&self, at: PciAddress) -> Option<&Ecam> {
        self.0.iter().find(|ecam| ecam.covers(at))
    }

    /// The window that covers `at`.
    pub(crate) fn at(&self, at: PciAddress) -> Option<Ecam> {
        self.window(at).copied()
    }
}

impl ConfigAccess for ConfigSpace {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        self.window(at).map_or(u8::MAX, |ecam| ecam.read8(at, offset))
    }

    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        self.window(at).map_or(u16::MAX, |ecam| ecam.read16(at, offset))
    }

    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.window(at).map_or(u32::MAX, |ecam| ecam.read32(at, offset))
    }

    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        if let Some(mut ecam) = self.at(at) {
            ecam.write8(at, offset, value);
        }
    }

    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        if let Some(mut ecam) = self.at(at) {
            ecam.write16(at, offset, value);
        }
    }

    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        if let Some(mut ecam) = self.at(at) {
            ecam.write32(at, offset, value);
        }
    }
}
