//! PCI configuration space, mapped as PCI Express lays it out: 4 KiB a function, 1 MiB a bus.
//!
//! PCI Express Base Specification 6.0, section 7.2.2.

use addr::{PciAddress, PhysAddr, Range};

use super::registers::{self, RegistersError};

/// Bytes of one function's configuration space.
const FUNCTION_SIZE: u64 = 4096;

/// Bytes that one bus takes: 256 functions.
const BUS_SIZE: u64 = 256 * FUNCTION_SIZE;

/// The mapped configuration space of one segment's buses from `first_bus` on.
///
/// For buses outside of it and absent functions, reads return all ones and writes are dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ecam {
    /// Mapped for good, as device memory, for all buses from `first_bus` to `last_bus`.
    start: PhysAddr,
    segment: u16,
    first_bus: u8,
    last_bus: u8,
}

/// A value that one access to configuration space transfers.
trait Register: Copy {
    const ALL_ONES: Self;
}

impl Register for u8 {
    const ALL_ONES: Self = Self::MAX;
}

impl Register for u16 {
    const ALL_ONES: Self = Self::MAX;
}

impl Register for u32 {
    const ALL_ONES: Self = Self::MAX;
}

impl Ecam {
    /// Maps `window`, whose first byte belongs to bus `first_bus` of `segment`, as far as `last_bus`.
    ///
    /// Buses that do not fit into the window do not answer, nor do buses that the machine does not
    /// have.
    ///
    /// # Errors
    ///
    /// The window cannot be mapped, or its first bus does not answer.
    pub(crate) fn new(
        window: Range<PhysAddr>,
        segment: u16,
        first_bus: u8,
        last_bus: u8,
    ) -> Result<Self, RegistersError> {
        let start = window.start();
        let buses = u64::from(last_bus.saturating_sub(first_bus)) + 1;
        let buses = buses.min(window.size() / BUS_SIZE);
        let none = RegistersError::Absent(start);
        let window = Range::from_size(start, buses * BUS_SIZE).ok_or(none)?;
        // SAFETY: The first word of a bus is a vendor and device ID, which can be read without effect.
        unsafe { registers::map(window) }?;
        // Between 1 and 256 buses, so the number fits.
        let last_bus = first_bus.saturating_add((buses - 1) as u8);
        Ok(Self { start, segment, first_bus, last_bus })
    }

    /// Whether the bus of `at` is in this window.
    pub(crate) fn covers(&self, at: PciAddress) -> bool {
        at.segment == self.segment && (self.first_bus..=self.last_bus).contains(&at.bus)
    }

    /// The address of the register, which must be in the window.
    fn address<T>(&self, at: PciAddress, offset: u16) -> Option<*mut T> {
        let size = size_of::<T>() as u64;
        let offset = u64::from(offset);
        if !self.covers(at) || offset + size > FUNCTION_SIZE || !offset.is_multiple_of(size) {
            return None;
        }
        let bus = u64::from(at.bus - self.first_bus);
        let function = bus * BUS_SIZE + u64::from(at.devfn.bits()) * FUNCTION_SIZE;
        Some((self.start.0 + function + offset) as usize as *mut T)
    }

    fn read<T: Register>(&self, at: PciAddress, offset: u16) -> T {
        match self.address::<T>(at, offset) {
            // SAFETY: The address is in the window, which is mapped for good, and aligned.
            Some(register) => unsafe { register.read_volatile() },
            None => T::ALL_ONES,
        }
    }

    fn write<T: Register>(&mut self, at: PciAddress, offset: u16, value: T) {
        if let Some(register) = self.address::<T>(at, offset) {
            // SAFETY: The address is in the window, which is mapped for good, and aligned; it is a
            // register of configuration space, not memory of the kernel.
            unsafe { register.write_volatile(value) }
        }
    }
}

impl pci::ConfigAccess for Ecam {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        self.read(at, offset)
    }

    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        self.read(at, offset)
    }

    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.read(at, offset)
    }

    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        self.write(at, offset, value);
    }

    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        self.write(at, offset, value);
    }

    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        self.write(at, offset, value);
    }
}
