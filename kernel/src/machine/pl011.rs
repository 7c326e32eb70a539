//! The PL011 UART, output only, polled.
//!
//! Registers: Arm PrimeCell UART (PL011) Technical Reference Manual, chapter 3.

use core::sync::atomic::{AtomicUsize, Ordering};

use addr::{PhysAddr, Range};
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite};
use tock_registers::{register_bitfields, register_structs};

use boot::memory::{self, Kind, MapError};

register_bitfields! { u32,
    FR [ TXFE OFFSET(7) NUMBITS(1) [], TXFF OFFSET(5) NUMBITS(1) [] ],
    LCR_H [ WLEN OFFSET(5) NUMBITS(2) [Bits8 = 3], FEN OFFSET(4) NUMBITS(1) [] ],
    CR [ TXE OFFSET(8) NUMBITS(1) [], UARTEN OFFSET(0) NUMBITS(1) [] ],
}

register_structs! {
    #[allow(non_snake_case, reason = "register names as the manual spells them")]
    Registers {
        (0x000 => DR: ReadWrite<u32>),
        (0x004 => _reserved0),
        (0x018 => FR: ReadOnly<u32, FR::Register>),
        (0x01c => _reserved1),
        (0x02c => LCR_H: ReadWrite<u32, LCR_H::Register>),
        (0x030 => CR: ReadWrite<u32, CR::Register>),
        (0x034 => _reserved2),
        (0xfe0 => PeriphID0: ReadOnly<u32>),
        (0xfe4 => @END),
    }
}

/// Offset of PeriphID0 and its value: the low byte of part number 0x011.
const PERIPH_ID0: (u64, u32) = (0xfe0, 0x11);

/// Size of an empty transmit FIFO in bytes, which can be filled without polling.
const FIFO_DEPTH: usize = 16;

/// Polls of the flag register before the UART is given up: far longer than a FIFO takes at 9600 baud. A
/// UART that stops must not stop the run.
const READY_POLLS: u32 = 10_000_000;

/// A UART that may be absent, and that may move once firmware's description has been read.
pub(crate) struct Pl011 {
    /// Where its registers are mapped; 0 while there is none.
    base: AtomicUsize,
}

impl Pl011 {
    /// No UART yet.
    pub(crate) const fn absent() -> Self {
        Self { base: AtomicUsize::new(0) }
    }

    /// Uses the UART at `registers` from now on; returns whether there is one.
    ///
    /// # Errors
    ///
    /// The registers cannot be mapped. In this case, and if no PL011 answers, output continues as
    /// before.
    pub(crate) fn move_to(&self, registers: PhysAddr) -> Result<bool, MapError> {
        let size = size_of::<Registers>() as u64;
        let out_of_reach = Range::new(registers, PhysAddr(u64::MAX));
        let Some(range) = Range::from_size(registers, size).or(out_of_reach) else { return Ok(false) };
        memory::map(range, Kind::Device)?;
        let (offset, part) = PERIPH_ID0;
        if !registers.0.is_multiple_of(4) {
            return Ok(false);
        }
        // SAFETY: The address is aligned, and an identification register can be read without
        // effect; another device is detected by a read at this offset.
        let id = unsafe { boot::guarded::load_u32(PhysAddr(registers.0 + offset)) };
        if id.map(|id| id & 0xff) != Some(part) {
            return Ok(false);
        }
        self.base.store(registers.0 as usize, Ordering::Relaxed);
        self.enable();
        Ok(true)
    }

    /// Whether there is a UART.
    pub(crate) fn is_present(&self) -> bool {
        self.registers().is_some()
    }

    /// Sends `text`, each line end as carriage return and line feed.
    ///
    /// A UART that takes nothing within a bound counts as absent from then on.
    pub(crate) fn write(&self, text: &[u8]) {
        let Some(registers) = self.registers() else { return };
        let mut room = 0;
        let mut send = |byte| {
            if room == 0 {
                room = if self.is_present() { wait_for_room(registers) } else { 0 };
                if room == 0 {
                    self.base.store(0, Ordering::Relaxed);
                }
            }
            if room > 0 {
                registers.DR.set(u32::from(byte));
                room -= 1;
            }
        };
        for &byte in text {
            if byte == b'\n' {
                send(b'\r');
            }
            send(byte);
        }
    }

    /// Enables the transmitter and its FIFO, unless they are. The baud rate is not changed.
    fn enable(&self) {
        let Some(registers) = self.registers() else { return };
        if !registers.CR.matches_all(CR::UARTEN::SET + CR::TXE::SET) || !registers.LCR_H.is_set(LCR_H::FEN) {
            registers.LCR_H.write(LCR_H::WLEN::Bits8 + LCR_H::FEN::SET);
            registers.CR.write(CR::UARTEN::SET + CR::TXE::SET);
        }
    }

    fn registers(&self) -> Option<&'static Registers> {
        let base = self.base.load(Ordering::Relaxed) as *const Registers;
        // SAFETY: `base` is null, or the address of a PL011 that `move_to` has mapped, for good, and identified.
        unsafe { base.as_ref() }
    }
}

/// The number of bytes that the UART accepts now; waits for the first, and returns 0 if it accepts
/// none within the bound.
fn wait_for_room(registers: &Registers) -> usize {
    for _ in 0..READY_POLLS {
        let flags = registers.FR.extract();
        if flags.is_set(FR::TXFE) {
            return FIFO_DEPTH;
        }
        if !flags.is_set(FR::TXFF) {
            return 1;
        }
    }
    0
}
