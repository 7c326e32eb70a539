//! Sets of functions on one bus.

use addr::DeviceFunction;

/// A set of device and function numbers on one bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliasMask([u64; 4]);

impl AliasMask {
    /// Adds `devfn`; false if it was in the set already.
    pub fn insert(&mut self, devfn: DeviceFunction) -> bool {
        let (word, bit) = (usize::from(devfn.bits() >> 6), 1u64 << (devfn.bits() & 63));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Whether `devfn` is in the set.
    #[must_use]
    pub fn contains(&self, devfn: DeviceFunction) -> bool {
        self.0[usize::from(devfn.bits() >> 6)] & 1u64 << (devfn.bits() & 63) != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = DeviceFunction> + '_ {
        (0..=255).map(DeviceFunction::from_bits).filter(|devfn| self.contains(*devfn))
    }
}
