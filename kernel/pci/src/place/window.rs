//! Windows as positions in a table: a bus, and a kind of window that leads to it.

use core::ops::{Index, IndexMut};

use alloc::vec::Vec;

use crate::function::bridge::WindowKind;
use crate::function::index::BusIndex;
use crate::topology::Topology;

/// A bus and a kind of window that leads to it. On a root bus, where the windows are those of the host bridge, both
/// kinds of memory are [`WindowKind::Memory`].
pub(crate) type Window = (BusIndex, WindowKind);

/// A value for each window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerWindow<T>(Vec<T>);

impl<T: Default> PerWindow<T> {
    pub(crate) fn new(topology: &Topology) -> Self {
        let count = WindowKind::ALL.len() * topology.buses().len();
        let mut values = Vec::new();
        values.resize_with(count, T::default);
        Self(values)
    }
}

impl<T: Copy> PerWindow<T> {
    /// The values of the windows that lead to one bus, by [`WindowKind`].
    pub(crate) fn all(&self, bus: BusIndex) -> [T; 3] {
        WindowKind::ALL.map(|kind| self[(bus, kind)])
    }
}

impl<T> Index<Window> for PerWindow<T> {
    type Output = T;

    fn index(&self, (bus, kind): Window) -> &T {
        &self.0[WindowKind::ALL.len() * bus.place() + kind as usize]
    }
}

impl<T> IndexMut<Window> for PerWindow<T> {
    fn index_mut(&mut self, (bus, kind): Window) -> &mut T {
        &mut self.0[WindowKind::ALL.len() * bus.place() + kind as usize]
    }
}
