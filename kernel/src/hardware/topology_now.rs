//! The PCI topology, which hot-plug replaces.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::ops::Deref;

use pci::Topology;

/// The current topology.
///
/// An earlier one stays in memory, so that references into it may be held, and reading costs nothing before the first
/// change. Whoever replaces it limits how often.
pub struct TopologyNow {
    first: Rc<Topology>,
    latest: Cell<Option<&'static Rc<Topology>>>,
}

impl TopologyNow {
    /// The topology after the boot.
    pub(crate) fn new(first: Topology) -> Self {
        Self { first: Rc::new(first), latest: Cell::new(None) }
    }

    /// The topology while it is being read and set up.
    ///
    /// # Panics
    ///
    /// If it has been shared.
    pub(crate) fn set_up(&mut self) -> &mut Topology {
        Rc::get_mut(&mut self.first).expect("the core gets the topology when it is complete")
    }

    /// Replaces the topology.
    pub(crate) fn replace(&self, by: Topology) {
        self.latest.set(Some(Box::leak(Box::new(Rc::new(by)))));
    }
}

impl Deref for TopologyNow {
    type Target = Rc<Topology>;

    fn deref(&self) -> &Rc<Topology> {
        self.latest.get().unwrap_or(&self.first)
    }
}
