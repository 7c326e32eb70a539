//! `iommu-testdev`: writes a pattern to any address at once (QEMU 11: docs/specs/iommu-testdev.rst).

use alloc::boxed::Box;
use alloc::vec::Vec;

use addr::{Iova, PhysAddr};
use kernel::machine::register_window::RegisterWindow;

use super::{Engine, EngineError};
use crate::dma::hal::SessionError;

/// Registers in BAR 0, of 32 bits each.
const TRIGGER: u64 = 0x00;
const ADDRESS_LOW: u64 = 0x04;
const ADDRESS_HIGH: u64 = 0x08;
const LENGTH: u64 = 0x0c;
const RESULT: u64 = 0x10;
const DOORBELL: u64 = 0x14;
const READ_BACK_LOW: u64 = 0x1c;
const READ_BACK_HIGH: u64 = 0x20;

/// The pattern, in little endian.
const PATTERN: u32 = 0x1234_5678;

/// Most bytes of a transfer; the device has no limit.
const LIMIT: usize = 4096;

/// The registers of one `iommu-testdev`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestDevice(pub(crate) RegisterWindow);

impl TestDevice {
    /// The result for data that was written and read back from RAM.
    pub(crate) const WRITTEN: u32 = 0;

    /// Writes the pattern to `address`, then reads it back from RAM at `physical`; returns the device's result.
    pub(crate) fn write(self, address: Iova, physical: PhysAddr, bytes: usize) -> u32 {
        let Self(registers) = self;
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        let (low, high) = halves(address.0);
        registers.write32(ADDRESS_LOW, low);
        registers.write32(ADDRESS_HIGH, high);
        let (low, high) = halves(physical.0);
        registers.write32(READ_BACK_LOW, low);
        registers.write32(READ_BACK_HIGH, high);
        registers.write32(LENGTH, bytes.min(LIMIT) as u32);
        registers.write32(DOORBELL, 1);
        // Reading this register starts the transfer; it has ended when the register returns.
        let _always_0 = registers.read32(TRIGGER);
        registers.read32(RESULT)
    }

    /// The bytes that it writes.
    pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
        PATTERN.to_le_bytes().into_iter().cycle().take(bytes).collect()
    }
}

/// The device as an engine.
pub(crate) struct TestDeviceEngine(pub(crate) TestDevice);

impl Engine for TestDeviceEngine {
    fn limit(&self) -> usize {
        LIMIT
    }

    fn begin_store(&mut self, address: Iova, bytes: usize) {
        // Where it reads back from only decides the result, which is not looked at.
        self.0.write(address, PhysAddr(0), bytes);
    }

    fn is_done(&self) -> bool {
        true
    }

    fn content(&self, bytes: usize) -> Option<Vec<u8>> {
        Some(TestDevice::pattern(bytes))
    }

    fn load(&mut self, _: Iova, _: usize) -> Result<Vec<u8>, EngineError> {
        Err(EngineError::Unable("read"))
    }

    fn stop(self: Box<Self>) -> Result<(), SessionError> {
        Ok(())
    }
}
