//! The content of a `_CRS`, as values with valid ranges (ACPI 6.5, section 6.4).

use alloc::vec::Vec;

use addr::{PhysAddr, Range};

/// One resource of a device; firmware's order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Registers or memory: `Memory24`, `Memory32`, `Memory32Fixed`.
    ///
    /// Where firmware leaves a choice of places, this is the lowest one, as Linux takes it.
    Memory {
        /// The addresses, as the CPU sees them.
        range: Range<PhysAddr>,
        /// Whether it may be written.
        writable: bool,
    },
    /// I/O ports: `IO`, `FixedIO`.
    Io {
        /// The ports.
        range: Range<u64>,
    },
    /// A window: `Word`, `DWord`, `QWord` and `Extended` address space.
    Space(AddressSpace),
    /// Interrupts: `IRQ` and the extended `Interrupt`.
    Interrupts(Interrupts),
    /// `GenericRegister`.
    Register(GenericRegister),
}

/// A window of memory, I/O ports or bus numbers (ACPI 6.5, section 6.4.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpace {
    /// What the numbers count.
    pub kind: SpaceKind,
    /// `_MIN` to `_MAX`: the numbers on the far side of a bridge, before [`translation`](Self::translation). Bus
    /// numbers end where `_LEN` says.
    pub range: Range<u64>,
    /// `_TRA`: what to add to a number of `range` to get what the CPU uses.
    pub translation: u64,
    /// Whether the device hands the window on to its children, as a host bridge does.
    pub producer: bool,
    /// `_MIF`: the first number cannot be moved.
    pub min_fixed: bool,
    /// `_MAF`: the last number cannot be moved.
    pub max_fixed: bool,
}

impl AddressSpace {
    /// The window as the CPU sees it; for bus numbers the same numbers.
    ///
    /// A translation is only for producers, as in Linux's `acpi_decode_space`. `None` if the sum leaves
    /// 64 bits; none that [`read`](super::read) returns does.
    #[must_use]
    pub fn cpu_range(&self) -> Option<Range<PhysAddr>> {
        let translation = if self.producer { self.translation } else { 0 };
        let start = PhysAddr(self.range.start()).checked_add(translation)?;
        Range::new(start, PhysAddr(self.range.end()).checked_add(translation)?)
    }

    /// Whether it is memory whose reads have no side effects (`_MEM` is prefetchable).
    #[must_use]
    pub fn prefetchable(&self) -> bool {
        matches!(self.kind, SpaceKind::Memory { caching: Caching::Prefetchable, .. })
    }
}

/// What the numbers of an [`AddressSpace`] count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceKind {
    /// Memory.
    Memory {
        /// `_MEM`.
        caching: Caching,
        /// `_RW`.
        writable: bool,
    },
    /// I/O ports.
    Io,
    /// Bus numbers of a host bridge.
    Bus,
}

/// `_MEM` of a memory window (ACPI 6.5, table 6.52).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Must not be cached.
    NonCacheable,
    /// May be cached.
    Cacheable,
    /// May be cached, writes may be combined.
    WriteCombining,
    /// May be cached and read ahead.
    Prefetchable,
}

/// Interrupts that one descriptor names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// Global system interrupt numbers.
    pub numbers: Vec<u32>,
    /// Edge-triggered, else level-triggered.
    pub edge: bool,
    /// Active low, else active high.
    pub active_low: bool,
    /// Shared with other devices.
    pub shared: bool,
}

/// A register in any address space (ACPI 6.5, section 6.4.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenericRegister {
    /// `_ASI`: 0 system memory, 1 system I/O, 2 PCI configuration, and more.
    pub space: u8,
    /// `_RBW`: width in bits.
    pub bit_width: u8,
    /// `_RBO`: offset in bits.
    pub bit_offset: u8,
    /// `_ASZ`: 0 undefined, 1 byte, 2 word, 3 double word, 4 quad word.
    pub access_size: u8,
    /// `_ADR`.
    pub address: u64,
}
