//! BARs as positions in a table: a function, and one of its BARs.

use core::ops::{Index, IndexMut};

use alloc::vec::Vec;

use crate::function::bar::Bar;
use crate::function::index::FunctionIndex;
use crate::topology::Topology;

/// Most BARs of a function: 0 to 5, the expansion ROM, and those for virtual functions.
const MAX_BARS: usize = 13;

/// A BAR of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BarIndex {
    pub(crate) function: FunctionIndex,
    /// Its position in `Function::all_bars`.
    pub(crate) place: usize,
}

impl BarIndex {
    /// The BAR itself.
    pub(crate) fn of(self, topology: &Topology) -> &Bar {
        &topology[self.function].all_bars[self.place]
    }
}

/// A value for each BAR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerBar<T>(Vec<[T; MAX_BARS]>);

impl<T: Copy + Default> PerBar<T> {
    pub(crate) fn new(topology: &Topology) -> Self {
        Self(alloc::vec![[T::default(); MAX_BARS]; topology.functions().len()])
    }
}

impl<T> Index<BarIndex> for PerBar<T> {
    type Output = T;

    fn index(&self, bar: BarIndex) -> &T {
        &self.0[bar.function.place()][bar.place]
    }
}

impl<T> IndexMut<BarIndex> for PerBar<T> {
    fn index_mut(&mut self, bar: BarIndex) -> &mut T {
        &mut self.0[bar.function.place()][bar.place]
    }
}
