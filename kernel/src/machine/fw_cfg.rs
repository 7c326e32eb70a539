//! QEMU's firmware configuration device on MMIO: files that QEMU offers to firmware.
//!
//! Registers: QEMU, `docs/specs/fw_cfg.rst`. Each file is read with a single DMA request, because
//! each access to the data register costs an exit from the emulator.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ptr;

use aarch64_cpu::asm::barrier;
use addr::{PhysAddr, Range};
use boot::memory::{self, Kind, MapError};
use firmware::acpi::fw_cfg::{COUNT_SIZE, directory, directory_size};
use firmware::acpi::fw_cfg::{DIRECTORY_KEY, DirectoryError, File, SIGNATURE, SIGNATURE_KEY};
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::register_structs;
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};

register_structs! {
    Registers {
        (0x00 => data: ReadOnly<u8>),
        (0x01 => _reserved0),
        /// Big-endian.
        (0x08 => selector: WriteOnly<u16>),
        (0x0a => _reserved1),
        /// Big-endian; writing the lower half starts the request. Upper half first.
        (0x10 => dma_high: ReadWrite<u32>),
        (0x14 => dma_low: ReadWrite<u32>),
        (0x18 => @END),
    }
}

/// Key of the feature bits, little-endian; bit 1: the device has a DMA interface.
const FEATURES_KEY: u16 = 0x0001;
const FEATURE_DMA: u8 = 1 << 1;

/// Bits of a request's control word.
const DMA_ERROR: u32 = 1 << 0;
const DMA_READ: u32 = 1 << 1;
const DMA_SELECT: u32 = 1 << 3;

/// Maximum size of a file, in bytes.
const FILE_LIMIT: usize = 16 << 20;

/// A DMA request; all fields are big-endian.
#[repr(C, align(16))]
struct Request {
    control: u32,
    length: u32,
    address: u64,
}

/// Why fw_cfg cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FwCfgError {
    /// The registers cannot be mapped.
    #[error("fw_cfg: {0}")]
    Unmappable(MapError),
    /// There is no fw_cfg device at the address.
    #[error("no fw_cfg answers at {0}")]
    Absent(PhysAddr),
    /// The device has no DMA interface.
    #[error("fw_cfg has no DMA interface")]
    NoDma,
    /// The device refuses a read, or does not finish it.
    #[error("fw_cfg does not return the item with key {key:#x}")]
    Read {
        /// The key.
        key: u16,
    },
    /// A file exceeds the maximum size.
    #[error("fw_cfg: {bytes} bytes exceed the limit of {FILE_LIMIT}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The directory is malformed.
    #[error("{0}")]
    Directory(DirectoryError),
}

/// The device and its directory.
pub(crate) struct FwCfg {
    registers: PhysAddr,
    files: Vec<File>,
}

impl FwCfg {
    /// The device at `range`.
    ///
    /// # Errors
    ///
    /// See [`FwCfgError`].
    pub(crate) fn new(range: Range<PhysAddr>) -> Result<Self, FwCfgError> {
        memory::map(range, Kind::Device).map_err(FwCfgError::Unmappable)?;
        let at = range.start();
        if range.size() < size_of::<Registers>() as u64 || !at.0.is_multiple_of(8) {
            return Err(FwCfgError::Absent(at));
        }
        let mut this = Self { registers: at, files: Vec::new() };
        let mut signature = [0; 4];
        this.read_bytes(SIGNATURE_KEY, &mut signature);
        if signature != SIGNATURE {
            return Err(FwCfgError::Absent(at));
        }
        let mut features = [0; 1];
        this.read_bytes(FEATURES_KEY, &mut features);
        if features[0] & FEATURE_DMA == 0 {
            return Err(FwCfgError::NoDma);
        }
        let start = this.read_by_dma(DIRECTORY_KEY, COUNT_SIZE)?;
        let size = directory_size(&start).map_err(FwCfgError::Directory)?;
        this.files = directory(&this.read_by_dma(DIRECTORY_KEY, size)?).map_err(FwCfgError::Directory)?;
        Ok(this)
    }

    /// The content of the file `name`; `None` if there is no such file.
    ///
    /// # Errors
    ///
    /// The device does not return the file.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Vec<u8>>, FwCfgError> {
        let Some(file) = self.files.iter().find(|file| file.name == name) else { return Ok(None) };
        self.read_by_dma(file.key, file.size as usize).map(Some)
    }

    fn registers(&self) -> &Registers {
        // SAFETY: `new` has checked room and alignment and mapped the registers as device memory, and
        // nothing else drives this device.
        unsafe { &*(self.registers.0 as *const Registers) }
    }

    /// Reads the first bytes of an item through the data register.
    fn read_bytes(&self, key: u16, bytes: &mut [u8]) {
        self.registers().selector.set(key.to_be());
        for byte in bytes {
            *byte = self.registers().data.get();
        }
    }

    fn read_by_dma(&self, key: u16, size: usize) -> Result<Vec<u8>, FwCfgError> {
        if size > FILE_LIMIT {
            return Err(FwCfgError::TooLong { bytes: size });
        }
        let mut bytes = alloc::vec![0u8; size];
        let request = UnsafeCell::new(Request {
            control: (u32::from(key) << 16 | DMA_SELECT | DMA_READ).to_be(),
            length: (size as u32).to_be(),
            address: (bytes.as_mut_ptr().expose_provenance() as u64).to_be(),
        });
        let address = request.get().expose_provenance() as u64;
        // The device reads the request, and writes the bytes, while it handles the last of these writes.
        barrier::dsb(barrier::SY);
        self.registers().dma_high.set(((address >> 32) as u32).to_be());
        self.registers().dma_low.set((address as u32).to_be());
        barrier::dsb(barrier::SY);
        // SAFETY: The request is owned by this function, aligned, and no longer written: QEMU
        // transfers at once. Otherwise the control word would not be 0, and the memory is leaked
        // below.
        let request = unsafe { ptr::read_volatile(request.get()) };
        let control = u32::from_be(request.control);
        if control == 0 {
            return Ok(bytes);
        }
        if control & DMA_ERROR == 0 {
            // The device may still be writing.
            core::mem::forget(bytes);
        }
        Err(FwCfgError::Read { key })
    }
}
