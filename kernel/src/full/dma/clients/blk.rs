//! `virtio-blk`: a sector from the disk, one to the disk, and that one back.

use alloc::format;
use alloc::vec::Vec;

use dma::Direction;
use dma::test_disk::{MAGIC, SECTOR_SIZE, WRITTEN, sector, written_sector};
use report::Transfer;
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};

use super::{ClientError, compare, driver, transfer_of, wait_for, with_driver};
use crate::dma::hal::{SpaceHal, take_log};
use crate::dma::memory::DeviceMemory;
use crate::dma::transport::PlatformTransport;

type Disk = VirtIOBlk<SpaceHal, PlatformTransport>;

/// A sector of the test disk that is only read.
const READ: usize = 3;

/// Transfers sectors. Only the disk of `cargo xtask` is written to, and has content that can be checked.
///
/// # Errors
///
/// See [`ClientError`].
pub(in crate::dma) fn transfers(
    registers: kernel::Transport,
    memory: DeviceMemory,
    accepts_platform: bool,
) -> Result<Vec<Transfer>, ClientError> {
    with_driver(registers, memory, accepts_platform, Disk::new, |mut disk| {
        let mut done = Vec::new();
        let first = read(&mut disk, 0, &mut done)?;
        if !first.starts_with(MAGIC) {
            let again = read(&mut disk, 0, &mut done)?;
            compare("sector 0, read twice", &again, &first)?;
            return Ok(done);
        }
        compare("sector 0", &first, &sector(0))?;
        compare("a sector", &read(&mut disk, READ, &mut done)?, &sector(READ))?;
        write(&mut disk, WRITTEN, &written_sector(WRITTEN), &mut done)?;
        compare("the written sector", &read(&mut disk, WRITTEN, &mut done)?, &written_sector(WRITTEN))?;
        Ok(done)
    })
}

fn read(disk: &mut Disk, number: usize, done: &mut Vec<Transfer>) -> Result<[u8; SECTOR_SIZE], ClientError> {
    take_log();
    let what = "read a sector";
    let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
    let mut sector = [0; SECTOR_SIZE];
    // SAFETY: The device gets copies of these buffers (`SpaceHal`), so it does not access them, also if it is late.
    let token = unsafe { disk.read_blocks_nb(number, &mut request, &mut sector, &mut response) };
    let token = token.map_err(driver(what))?;
    wait_for(what, || disk.peek_used().is_some())?;
    // SAFETY: These are the buffers that `read_blocks_nb` was given.
    unsafe { disk.complete_read_blocks(token, &request, &mut sector, &mut response) }
        .map_err(driver(what))?;
    done.extend(transfer_of(&format!("read sector {number}"), Direction::FromDevice, SECTOR_SIZE));
    Ok(sector)
}

fn write(
    disk: &mut Disk,
    number: usize,
    sector: &[u8; SECTOR_SIZE],
    done: &mut Vec<Transfer>,
) -> Result<(), ClientError> {
    take_log();
    let what = "write a sector";
    let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
    // SAFETY: The device gets copies of these buffers (`SpaceHal`), so it does not access them, also if it is late.
    let token = unsafe { disk.write_blocks_nb(number, &mut request, sector, &mut response) };
    let token = token.map_err(driver(what))?;
    wait_for(what, || disk.peek_used().is_some())?;
    // SAFETY: These are the buffers that `write_blocks_nb` was given.
    unsafe { disk.complete_write_blocks(token, &request, sector, &mut response) }.map_err(driver(what))?;
    done.extend(transfer_of(&format!("write sector {number}"), Direction::ToDevice, SECTOR_SIZE));
    Ok(())
}
