//! `virtio-blk`: reads a sector to any address, and writes one from any address.

use alloc::boxed::Box;
use alloc::vec::Vec;

use addr::Iova;
use dma::Direction;
use dma::test_disk::{MAGIC, SCRATCH, SECTOR_SIZE};
use kernel::{Handle, Hardware};

use super::{Engine, EngineError, raw_transport};
use crate::deadline::DEVICE_DEADLINE_US;
use crate::dma::hal::SessionError;
use crate::dma::memory::{Buffer, DeviceMemory};
use crate::dma::raw_queue::{RawQueue, Segment};

/// Request types (virtio 1.2, section 5.2.6).
const IN: u32 = 0;
const OUT: u32 = 1;

/// The sector whose content is written to memory.
const SOURCE: usize = 1;

/// Where the parts of a request are in the engine's own page.
const HEADER: usize = 0;
const STATUS: usize = 64;
const DATA: usize = 512;

/// A disk with queue 0.
pub(crate) struct BlkEngine {
    queue: RawQueue,
    control: Buffer,
    memory: DeviceMemory,
    /// What the device writes.
    source: Vec<u8>,
    /// Whether the disk is ours to write to.
    is_test_disk: bool,
}

impl BlkEngine {
    /// Starts the device, and reads its first sectors.
    ///
    /// # Errors
    ///
    /// It does not start, or does not read them.
    pub(crate) fn start(
        hardware: &Hardware,
        device: Handle,
        memory: &DeviceMemory,
        accepts_platform: bool,
    ) -> Result<Self, EngineError> {
        let mut engine = Self::start_blind(hardware, device, memory, accepts_platform)?;
        let first = engine.read_sector(0)?;
        engine.is_test_disk = first.starts_with(MAGIC);
        engine.source = engine.read_sector(SOURCE)?;
        Ok(engine)
    }

    /// Starts the device, which may not reach any memory: what it would write is not known.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) fn start_blind(
        hardware: &Hardware,
        device: Handle,
        memory: &DeviceMemory,
        accepts_platform: bool,
    ) -> Result<Self, EngineError> {
        let queue = RawQueue::start(raw_transport(hardware, device, accepts_platform)?, 0, memory)?;
        let control = memory.share(DATA + SECTOR_SIZE, Direction::Both)?;
        Ok(Self { queue, control, memory: memory.clone(), source: Vec::new(), is_test_disk: false })
    }

    /// Header, `bytes` bytes at `address`, the rest of the sector in the engine's own page, status.
    fn chain(&mut self, request: u32, sector: usize, address: Iova, bytes: usize) -> Vec<Segment> {
        let mut header = [0; 16];
        header[..4].copy_from_slice(&request.to_le_bytes());
        header[8..].copy_from_slice(&(sector as u64).to_le_bytes());
        self.control.pages().write(HEADER, &header);
        let own = |offset: usize| Iova(self.control.address().0 + offset as u64);
        let is_written = request == IN;
        let mut chain = alloc::vec![Segment { address: own(HEADER), bytes: 16, is_written: false }];
        chain.push(Segment { address, bytes: bytes as u32, is_written });
        if bytes < SECTOR_SIZE {
            let rest = (SECTOR_SIZE - bytes) as u32;
            chain.push(Segment { address: own(DATA + bytes), bytes: rest, is_written });
        }
        chain.push(Segment { address: own(STATUS), bytes: 1, is_written: true });
        chain
    }

    fn request(
        &mut self,
        request: u32,
        sector: usize,
        address: Iova,
        bytes: usize,
    ) -> Result<(), EngineError> {
        let chain = self.chain(request, sector, address, bytes);
        match self.queue.run(&chain, DEVICE_DEADLINE_US) {
            true => Ok(()),
            false => Err(EngineError::Late(DEVICE_DEADLINE_US)),
        }
    }

    fn read_sector(&mut self, sector: usize) -> Result<Vec<u8>, EngineError> {
        let own = Iova(self.control.address().0 + DATA as u64);
        self.request(IN, sector, own, SECTOR_SIZE)?;
        let mut bytes = alloc::vec![0; SECTOR_SIZE];
        self.control.pages().read(DATA, &mut bytes);
        Ok(bytes)
    }
}

impl Engine for BlkEngine {
    fn limit(&self) -> usize {
        SECTOR_SIZE
    }

    fn begin_store(&mut self, address: Iova, bytes: usize) {
        let chain = self.chain(IN, SOURCE, address, bytes);
        self.queue.submit(&chain);
    }

    fn is_done(&self) -> bool {
        self.queue.is_done()
    }

    fn content(&self, bytes: usize) -> Option<Vec<u8>> {
        self.source.get(..bytes).map(<[u8]>::to_vec)
    }

    fn load(&mut self, address: Iova, bytes: usize) -> Result<Vec<u8>, EngineError> {
        if !self.is_test_disk {
            return Err(EngineError::Unable("write to a disk that is not the test's"));
        }
        self.request(OUT, SCRATCH, address, bytes)?;
        let mut read = self.read_sector(SCRATCH)?;
        read.truncate(bytes);
        Ok(read)
    }

    fn stop(self: Box<Self>) -> Result<(), SessionError> {
        let Self { queue, control, memory, .. } = *self;
        queue.stop()?;
        Ok(memory.take_back(control)?)
    }
}
