//! Configuration space of the whole machine: for each host bridge a window, mapped as PCI Express lays it out, 4 KiB a
//! function, 1 MiB a bus.
//!
//! PCI Express Base Specification 6.0, section 7.2.2.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use pci::ConfigAccess;

use super::registers::{self, RegistersError};

/// Bytes of one function's configuration space.
const FUNCTION_SIZE: u64 = 4096;

/// Bytes that one bus takes: 256 functions.
const BUS_SIZE: u64 = 256 * FUNCTION_SIZE;

/// The windows of all host bridges; if none covers an address, no device answers there: reads return all ones, and
/// writes are dropped.
#[derive(Default)]
pub(crate) struct ConfigSpace(Vec<Ecam>);

/// The mapped configuration space of one segment's buses from `first_bus` on.
struct Ecam {
    /// Mapped for good, as device memory, for all buses from `first_bus` to `last_bus`.
    start: PhysAddr,
    segment: u16,
    first_bus: u8,
    last_bus: u8,
}

impl ConfigSpace {
    /// Maps `window`, whose first byte belongs to bus `first_bus` of `segment`, as far as `last_bus`.
    ///
    /// Buses that do not fit into the window do not answer, nor do buses that the machine does not
    /// have.
    ///
    /// # Errors
    ///
    /// The window cannot be mapped, or its first bus does not answer; it is then not added.
    pub(crate) fn add(
        &mut self,
        window: Range<PhysAddr>,
        segment: u16,
        first_bus: u8,
        last_bus: u8,
    ) -> Result<(), RegistersError> {
        let start = window.start();
        let buses = u64::from(last_bus.saturating_sub(first_bus)) + 1;
        let buses = buses.min(window.size() / BUS_SIZE);
        let none = RegistersError::Absent(start);
        let window = Range::from_size(start, buses * BUS_SIZE).ok_or(none)?;
        // SAFETY: The first word of a bus is a vendor and device ID, which can be read without effect.
        unsafe { registers::map(window) }?;
        // Between 1 and 256 buses, so the number fits.
        let last_bus = first_bus.saturating_add((buses - 1) as u8);
        self.0.push(Ecam { start, segment, first_bus, last_bus });
        Ok(())
    }

    /// The register at `offset`, if a window covers it.
    fn register<T: Copy>(&self, at: PciAddress, offset: u16) -> Option<Register<T>> {
        let address = self.address(at, offset.into(), size_of::<T>() as u64)?;
        Some(Register(address.0 as usize as *mut T))
    }

    /// The address of the register at `offset`, aligned to its `size` and in a window.
    #[inline(never)]
    fn address(&self, at: PciAddress, offset: u64, size: u64) -> Option<PhysAddr> {
        let covers =
            |ecam: &&Ecam| at.segment == ecam.segment && ecam.first_bus <= at.bus && at.bus <= ecam.last_bus;
        let ecam = self.0.iter().find(covers)?;
        if offset + size > FUNCTION_SIZE || !offset.is_multiple_of(size) {
            return None;
        }
        let bus = u64::from(at.bus - ecam.first_bus);
        let function = bus * BUS_SIZE + u64::from(at.devfn.bits()) * FUNCTION_SIZE;
        Some(PhysAddr(ecam.start.0 + function + offset))
    }
}

/// A register in a window, which is mapped for good; aligned.
struct Register<T>(*mut T);

impl<T: Copy> Register<T> {
    fn read(self) -> T {
        // SAFETY: By the invariant of the type.
        unsafe { self.0.read_volatile() }
    }

    fn write(self, value: T) {
        // SAFETY: By the invariant of the type; it is a register of configuration space, not memory of the kernel.
        unsafe { self.0.write_volatile(value) }
    }
}

// Not inlined: an emulator translates one copy only.
impl ConfigAccess for ConfigSpace {
    #[inline(never)]
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        self.register(at, offset).map_or(u8::MAX, Register::read)
    }

    #[inline(never)]
    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        self.register(at, offset).map_or(u16::MAX, Register::read)
    }

    #[inline(never)]
    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.register(at, offset).map_or(u32::MAX, Register::read)
    }

    #[inline(never)]
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        if let Some(register) = self.register(at, offset) {
            register.write(value);
        }
    }

    #[inline(never)]
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        if let Some(register) = self.register(at, offset) {
            register.write(value);
        }
    }

    #[inline(never)]
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        if let Some(register) = self.register(at, offset) {
            register.write(value);
        }
    }
}
