//! BARs as positions in a table: a function, and one of its BARs.

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
        let (first, count) = first_bars(topology);
        let mut values = Vec::new();
        values.resize_with(count, T::default);
        Self { first, values }
    }
}

/// For each function, the position of its first BAR; how many BARs there are. Not inlined: an emulator translates one
/// copy only.
#[inline(never)]
fn first_bars(topology: &Topology) -> (Vec<usize>, usize) {
    let (mut first, mut count) = (Vec::new(), 0);
    for function in topology.functions() {
        first.push(count);
        count += function.all_bars.len();
    }
    (first, count)
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
