//! Base address registers.

use core::fmt;

use addr::{PhysAddr, Range};

/// An implemented base address register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The register.
    pub register: BarRegister,
    /// The address space that it decodes.
    pub kind: BarKind,
    /// Size in bytes, a power of two.
    pub size: u64,
    /// The number of adjacent ranges of that size: one for each virtual function, else one.
    pub count: u16,
    /// The address on the bus; none if no window had room for it.
    pub bus_address: Option<u64>,
    /// The addresses that the CPU uses for it; none if no window of the host bridge covers them.
    pub cpu: Option<Range<PhysAddr>>,
}

/// The register of a [`Bar`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BarRegister {
    /// BAR 0 to 5; for a 64-bit BAR, the number of its lower half.
    Bar(u8),
    /// The expansion ROM.
    Rom,
    /// A register in the SR-IOV capability of a physical function, for all its virtual functions.
    Virtual {
        /// BAR 0 to 5 of the virtual functions.
        number: u8,
        /// The offset of the register in config space.
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

/// The address space that a BAR decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// I/O space.
    Io,
    /// Memory space.
    Memory {
        /// Whether it can hold addresses above 4 GiB.
        wide: bool,
        /// Whether reads have no side effects.
        prefetchable: bool,
    },
}

impl Bar {
    /// Bytes of all adjacent ranges together.
    #[must_use]
    pub fn span(&self) -> u64 {
        self.size.saturating_mul(self.count.into())
    }
}
