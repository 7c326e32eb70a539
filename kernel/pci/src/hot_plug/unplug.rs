//! Taking what is behind a port out of the topology.

use alloc::vec::Vec;

use crate::function::index::FunctionIndex;
use crate::topology::Topology;

impl Topology {
    /// The functions behind a port, those behind other bridges first: the order in which they are removed (Linux:
    /// `pci_stop_and_remove_bus_device`).
    #[must_use]
    pub fn behind(&self, port: FunctionIndex) -> Vec<FunctionIndex> {
        let is_behind = |index: &FunctionIndex| {
            self.is_present(*index) && self.bridges_above(*index).any(|above| above == port)
        };
        let mut behind: Vec<FunctionIndex> = self.indices().filter(is_behind).collect();
        behind.reverse();
        behind
    }

    /// Removes all functions behind a port from their buses. Their indices stay valid, and are not used again.
    pub fn remove_behind(&mut self, port: FunctionIndex) {
        for index in self.behind(port) {
            self.remove_function(index);
        }
    }
}
