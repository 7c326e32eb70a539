//! `edu`, QEMU's educational device: a buffer of 4 KiB, and an engine that copies to it and from it
//! (QEMU: docs/specs/edu.rst; 7.2, 10.0 and 11.1 tried). A transfer takes 100 ms of the machine's time.

use alloc::boxed::Box;
use alloc::vec::Vec;

use addr::Iova;
use dma::{Direction, DmaMask};
use kernel::machine::register_window::RegisterWindow;

use super::{Engine, EngineError};
use crate::deadline::{DEVICE_DEADLINE_US, wait_until};
use crate::dma::hal::SessionError;
use crate::dma::memory::{Buffer, DeviceMemory};

/// Registers in BAR 0.
const LIVENESS: u64 = 0x04;
const SOURCE: u64 = 0x80;
const DESTINATION: u64 = 0x88;
const COUNT: u64 = 0x90;
const COMMAND: u64 = 0x98;

/// The device's buffer, as an address of the engine.
const BUFFER: u64 = 0x4_0000;
/// The part of it that is used, in bytes. It has 4096, but QEMU 7.2 exits at a transfer that ends at its end.
const BUFFER_SIZE: usize = 2048;

/// Bits of the command.
const RUN: u64 = 1;
const TO_MEMORY: u64 = 2;

/// The registers of one `edu`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EduRegisters(pub(crate) RegisterWindow);

impl EduRegisters {
    /// The address bits of the engine: the device's default (property `dma_mask`), which it has no register for.
    pub(crate) const MASK: DmaMask = DmaMask::of_bits(28);

    /// Begins to copy `bytes` bytes from memory to the device's buffer.
    pub(crate) fn begin_load(self, address: Iova, bytes: usize) {
        self.begin(address.0, BUFFER, bytes, RUN);
    }

    /// Begins to copy `bytes` bytes from the device's buffer to memory.
    pub(crate) fn begin_store(self, address: Iova, bytes: usize) {
        self.begin(BUFFER, address.0, bytes, RUN | TO_MEMORY);
    }

    fn begin(self, source: u64, destination: u64, bytes: usize, command: u64) {
        self.0.write64(SOURCE, source);
        self.0.write64(DESTINATION, destination);
        self.0.write64(COUNT, bytes.min(BUFFER_SIZE) as u64);
        self.0.write64(COMMAND, command);
    }

    /// Whether the last copy has ended.
    pub(crate) fn is_idle(self) -> bool {
        self.0.read64(COMMAND) & RUN == 0
    }

    /// A register that inverts what is written to it, at the offset that a device which writes to the BAR must use.
    pub(crate) fn liveness(self) -> (u64, u32) {
        (LIVENESS, self.0.read32(LIVENESS))
    }

    /// Sets that register.
    pub(crate) fn set_liveness(self, value: u32) {
        self.0.write32(LIVENESS, value);
    }
}

/// `edu`. The device's own buffer stays as it is, because filling it takes 100 ms.
pub(crate) struct EduEngine {
    registers: EduRegisters,
    /// Memory to look at what it has read, shared at the first read.
    window: Option<Buffer>,
    memory: DeviceMemory,
}

impl EduEngine {
    /// The device needs no start.
    pub(crate) fn new(registers: EduRegisters, memory: &DeviceMemory) -> Self {
        Self { registers, window: None, memory: memory.clone() }
    }

    fn wait(&self) -> Result<(), EngineError> {
        match wait_until(DEVICE_DEADLINE_US, || self.registers.is_idle()) {
            true => Ok(()),
            false => Err(EngineError::Late(DEVICE_DEADLINE_US)),
        }
    }
}

impl Engine for EduEngine {
    fn limit(&self) -> usize {
        BUFFER_SIZE
    }

    fn begin_store(&mut self, address: Iova, bytes: usize) {
        self.registers.begin_store(address, bytes);
    }

    fn is_done(&self) -> bool {
        self.registers.is_idle()
    }

    fn content(&self, _: usize) -> Option<Vec<u8>> {
        None
    }

    fn load(&mut self, address: Iova, bytes: usize) -> Result<Vec<u8>, EngineError> {
        self.registers.begin_load(address, bytes);
        self.wait()?;
        let window = match self.window.take() {
            Some(window) => window,
            None => self.memory.share(BUFFER_SIZE, Direction::Both)?,
        };
        let window = self.window.insert(window);
        self.registers.begin_store(window.address(), bytes);
        self.wait()?;
        let mut read = alloc::vec![0; bytes];
        if let Some(window) = &self.window {
            window.pages().read(0, &mut read);
        }
        Ok(read)
    }

    fn stop(self: Box<Self>) -> Result<(), SessionError> {
        match self.window {
            Some(window) => Ok(self.memory.take_back(window)?),
            None => Ok(()),
        }
    }
}
