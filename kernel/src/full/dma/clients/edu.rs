//! `edu`: bytes to the device's buffer and back to another place, with all devices at the same time.

use alloc::vec::Vec;

use dma::Direction;
use report::Transfer;

use super::{ClientError, compare, transfer_with, wait_for};
use crate::dma::engine::EduRegisters;
use crate::dma::memory::{Buffer, DeviceMemory};

/// Bytes of a transfer.
const BYTES: usize = 1024;

/// One `edu`, and how far it is.
pub(in crate::dma) struct EduTransfer {
    registers: EduRegisters,
    memory: DeviceMemory,
    from: Buffer,
    to: Buffer,
}

impl EduTransfer {
    /// Begins to copy data to the device's buffer.
    ///
    /// # Errors
    ///
    /// Memory cannot be shared with the device.
    pub(in crate::dma) fn begin(registers: EduRegisters, memory: DeviceMemory) -> Result<Self, ClientError> {
        let from = memory.share(BYTES, Direction::ToDevice)?;
        let to = memory.share(BYTES, Direction::FromDevice)?;
        from.pages().write(0, &data());
        registers.begin_load(from.address(), BYTES);
        Ok(Self { registers, memory, from, to })
    }

    /// Waits for the first copy, and begins the copy back.
    ///
    /// # Errors
    ///
    /// The device does not finish.
    pub(in crate::dma) fn turn(&self) -> Result<(), ClientError> {
        wait_for("copy to the device", || self.registers.is_idle())?;
        self.registers.begin_store(self.to.address(), BYTES);
        Ok(())
    }

    /// Waits for the second copy, and checks the data.
    ///
    /// # Errors
    ///
    /// The device does not finish, or the data is wrong.
    pub(in crate::dma) fn finish(self) -> Result<Vec<Transfer>, ClientError> {
        wait_for("copy from the device", || self.registers.is_idle())?;
        let Self { memory, from, to, .. } = self;
        let mut found = [0; BYTES];
        to.pages().read(0, &mut found);
        let done = alloc::vec![
            transfer_with("copy to the device", Direction::ToDevice, &from),
            transfer_with("copy from the device", Direction::FromDevice, &to),
        ];
        memory.take_back(from)?;
        memory.take_back(to)?;
        compare("the copied bytes", &found, &data())?;
        Ok(done)
    }
}

fn data() -> [u8; BYTES] {
    core::array::from_fn(|offset| (offset * 3 + offset / 256 + 0x77) as u8)
}
