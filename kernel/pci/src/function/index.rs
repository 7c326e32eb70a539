//! Indices of functions and buses.

/// The index of a function, from the scan to the probe core: its position in
/// [`Topology::functions`](crate::Topology::functions).
///
/// While buses are numbered, it counts from the first function of one root bus. It is final once
/// [`Topology`](crate::Topology) has appended the root buses to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionIndex(u32);

/// The index of a bus: its position in [`Topology::buses`](crate::Topology::buses).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusIndex(u32);

impl FunctionIndex {
    pub(crate) const fn new(place: usize) -> Self {
        Self(place as u32)
    }

    /// The position in a list with an entry for each function.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The index of the same function after `first` other functions were put before the first one.
    pub(crate) const fn after(self, first: usize) -> Self {
        Self::new(self.place() + first)
    }
}

impl BusIndex {
    pub(crate) const fn new(place: usize) -> Self {
        Self(place as u32)
    }

    /// The position in a list with an entry for each bus.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The index of the same bus after `first` other buses were put before the first one.
    pub(crate) const fn after(self, first: usize) -> Self {
        Self::new(self.place() + first)
    }
}
