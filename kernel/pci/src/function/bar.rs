//! Base address registers.

use core::fmt;

use addr::{PhysAddr, Range};

/// One implemented base address register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which register.
    pub register: BarRegister,
    /// What it decodes.
    pub kind: BarKind,
    /// Bytes; a power of two.
    pub size: u64,
    /// How many of that size lie in a row: those of all virtual functions, else one.
    pub count: u16,
    /// Its address on the bus; none if no window had room for it.
    pub bus_address: Option<u64>,
    /// The same addresses as the CPU sees them; none if no window of the host bridge covers them.
    pub cpu: Option<Range<PhysAddr>>,
}

/// The register that a [`Bar`] stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BarRegister {
    /// BAR 0 to 5; for a 64-bit one, the lower half's number.
    Bar(u8),
    /// The expansion ROM's.
    Rom,
    /// In the SR-IOV capability of a physical function, for all its virtual functions.
    Virtual {
        /// The virtual functions' BAR 0 to 5.
        number: u8,
        /// Where the register is in config space.
        offset: u16,
    },
}

impl fmt::Display for BarRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bar(number) => write!(f, "BAR {number}"),
            Self::Rom => f.write_str("ROM BAR"),
            Self::Virtual { number, .. } => write!(f, "VF BAR {number}"),
        }
    }
}

/// What a BAR decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// I/O space.
    Io,
    /// Memory space.
    Memory {
        /// Whether it takes addresses above 4 GiB.
        wide: bool,
        /// Whether reads have no side effects.
        prefetchable: bool,
    },
}

impl Bar {
    /// Bytes of all that lie in a row.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.size.saturating_mul(self.count.into())
    }
}
