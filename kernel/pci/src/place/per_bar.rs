//! BARs as positions in a table: a function, and one of its BARs.

use core::iter;
use core::ops::{Index, IndexMut};

use alloc::vec::Vec;

use crate::function::bar::Bar;
use crate::function::index::FunctionIndex;
use crate::topology::Topology;

/// A BAR of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub(crate) struct PerBar<T> {
    /// For each function, the position of its first BAR in `values`.
    first: Vec<usize>,
    values: Vec<T>,
}

impl<T: Default> PerBar<T> {
    pub(crate) fn new(topology: &Topology) -> Self {
        let mut count = 0;
        let first = topology.functions().iter().map(|function| {
            count += function.all_bars.len();
            count - function.all_bars.len()
        });
        let first = first.collect();
        Self { first, values: iter::repeat_with(T::default).take(count).collect() }
    }
}

impl<T> Index<BarIndex> for PerBar<T> {
    type Output = T;

    fn index(&self, bar: BarIndex) -> &T {
        &self.values[self.first[bar.function.place()] + bar.place]
    }
}

impl<T> IndexMut<BarIndex> for PerBar<T> {
    fn index_mut(&mut self, bar: BarIndex) -> &mut T {
        &mut self.values[self.first[bar.function.place()] + bar.place]
    }
}
