//! Indices of functions and buses: what a scan gives out, and what the probe core calls a unit.

/// The index of a function: its place in [`Topology::functions`](crate::Topology::functions).
///
/// While buses are numbered it counts from the first function of one root bus; [`Topology`](crate::Topology) then
/// appends the root buses to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionIndex(u32);

/// The index of a bus: its place in [`Topology::buses`](crate::Topology::buses).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusIndex(u32);

impl FunctionIndex {
    pub(crate) const fn new(place: usize) -> Self {
        Self(place as u32)
    }

    /// The place in a list that has an entry for each function.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The same function once `first` others precede the first one.
    pub(crate) const fn after(self, first: usize) -> Self {
        Self::new(self.place() + first)
    }
}

impl BusIndex {
    pub(crate) const fn new(place: usize) -> Self {
        Self(place as u32)
    }

    /// The place in a list that has an entry for each bus.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The same bus once `first` others precede the first one.
    pub(crate) const fn after(self, first: usize) -> Self {
        Self::new(self.place() + first)
    }
}
