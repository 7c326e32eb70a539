//! The state that the exception vectors save, and its description as text.

use core::fmt;

/// The machine's state at an exception, as the vectors lay it out on the stack.
#[repr(C, align(16))]
#[derive(Clone, Debug)]
pub struct Exception {
    /// x0 to x30.
    pub x: [u64; 31],
    /// Stack pointer of the interrupted code.
    pub sp: u64,
    /// ELR_EL1: the instruction that caused the exception, or the next.
    pub elr: u64,
    /// SPSR_EL1: processor state of the interrupted code.
    pub spsr: u64,
    /// ESR_EL1: the reason.
    pub esr: u64,
    /// FAR_EL1: the address that was accessed, for aborts.
    pub far: u64,
    /// Which of the sixteen vectors was taken.
    vector: u64,
}

/// Registers and state without padding; `vectors.s` relies on these offsets.
const _: () = {
    assert!(size_of::<Exception>() == 304);
    assert!(core::mem::offset_of!(Exception, sp) == 248);
    assert!(core::mem::offset_of!(Exception, elr) == 256);
    assert!(core::mem::offset_of!(Exception, esr) == 272);
    assert!(core::mem::offset_of!(Exception, vector) == 288);
};

impl Exception {
    /// The kind of exception by its vector: synchronous, IRQ, FIQ, SError.
    #[must_use]
    pub fn vector_name(&self) -> &'static str {
        match self.vector % 4 {
            0 => "synchronous exception",
            1 => "IRQ",
            2 => "FIQ",
            _ => "SError",
        }
    }

    /// The exception class, ESR_EL1.EC, in words (Arm ARM, D19.2.38).
    #[must_use]
    pub fn class_name(&self) -> &'static str {
        match self.class() {
            0x00 => "undefined instruction",
            0x01 => "trapped WFI or WFE",
            0x07 => "trapped floating point",
            0x0a => "trapped LD64B or ST64B",
            0x0d => "branch target exception",
            0x0e => "illegal execution state",
            0x15 => "SVC",
            0x16 => "HVC",
            0x17 => "SMC",
            0x18 => "trapped system register access",
            0x19 => "trapped SVE",
            0x1c => "pointer authentication failure",
            0x20 | 0x21 => "instruction abort",
            0x22 => "misaligned PC",
            0x24 | 0x25 => "data abort",
            0x26 => "misaligned SP",
            0x2c => "floating point exception",
            0x2f => "SError",
            0x30..=0x35 => "debug exception",
            0x3c => "BRK",
            _ => "exception of an unknown class",
        }
    }

    /// The cause of an abort, from the fault status code; `None` if the exception is not an abort.
    #[must_use]
    pub fn fault_name(&self) -> Option<&'static str> {
        if !matches!(self.class(), 0x20 | 0x21 | 0x24 | 0x25) {
            return None;
        }
        Some(match self.esr & 0x3f {
            0x00..=0x03 => "address beyond the address space",
            0x04..=0x07 => "not mapped",
            0x08..=0x0b => "access flag",
            0x0c..=0x0f => "not permitted",
            0x10 => "nothing answers at this address",
            0x14..=0x17 => "external abort on a page table walk",
            0x18 | 0x1c..=0x1f => "parity or ECC error",
            0x21 => "misaligned",
            0x30 => "TLB conflict",
            _ => "unknown fault status",
        })
    }

    /// Whether a data abort was caused by a write.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.class(), 0x24 | 0x25) && self.esr & 1 << 6 != 0
    }

    /// Whether this is a data abort of the kernel's own code because no device answered, at a known
    /// address: a synchronous external abort that is not on a page table walk, with FAR_EL1 valid
    /// (ESR_EL1.FnV is 0).
    #[must_use]
    pub fn is_unanswered_access(&self) -> bool {
        self.vector == 0 && self.class() == 0x25 && self.esr & 0x3f == 0x10 && self.esr & 1 << 10 == 0
    }

    /// ESR_EL1.EC.
    #[must_use]
    pub fn class(&self) -> u64 {
        self.esr >> 26 & 0x3f
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}: {}", self.vector_name(), self.elr, self.class_name())?;
        if let Some(fault) = self.fault_name() {
            let access = match self.class() {
                0x20 | 0x21 => "execution",
                _ if self.is_write() => "write",
                _ => "read",
            };
            write!(f, ", {access} of {:#x}, {fault}", self.far)?;
        }
        write!(
            f,
            "\n  ESR {:#018x}  FAR {:#018x}  ELR {:#018x}  SPSR {:#x}",
            self.esr, self.far, self.elr, self.spsr
        )?;
        for (n, value) in self.x.iter().enumerate() {
            write!(f, "{}x{n:<2} {value:#018x}", if n % 4 == 0 { "\n  " } else { "  " })?;
        }
        write!(f, "  sp  {:#018x}", self.sp)
    }
}
