//! `iommu-testdev`: its pattern, which the device itself reads back from RAM too.

use alloc::vec::Vec;

use dma::Direction;
use report::Transfer;

use super::{ClientError, compare, transfer_with};
use crate::dma::engine::TestDevice;
use crate::dma::memory::DeviceMemory;

/// Bytes of a transfer.
const BYTES: usize = 256;

/// Has the pattern written.
///
/// # Errors
///
/// Memory cannot be shared, or the data is wrong.
pub(in crate::dma) fn transfers(
    device: TestDevice,
    memory: &DeviceMemory,
) -> Result<Vec<Transfer>, ClientError> {
    let what = "write a pattern";
    let buffer = memory.share(BYTES, Direction::FromDevice)?;
    let status = device.write(buffer.address(), buffer.phys().start(), BYTES);
    let mut found = [0; BYTES];
    buffer.pages().read(0, &mut found);
    let done = alloc::vec![transfer_with(what, Direction::FromDevice, &buffer)];
    memory.take_back(buffer)?;
    if status != TestDevice::WRITTEN {
        return Err(ClientError::Status { what, status });
    }
    compare(what, &found, &TestDevice::pattern(BYTES))?;
    Ok(done)
}
