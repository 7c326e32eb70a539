//! Ports that lead out of the machine, and what is behind them.

use crate::function::index::FunctionIndex;
use crate::topology::Topology;

impl Topology {
    /// Marks those of `ports` with a bus behind them as leading out of the machine. Call this before ACS is enabled.
    ///
    /// Linux: `pci_set_bus_of_node`.
    pub fn mark_external_facing(&mut self, ports: &[FunctionIndex]) {
        for port in ports {
            let function = self.function_mut(*port);
            function.external_facing = function.bridge.as_ref().is_some_and(|bridge| bridge.buses.is_some());
        }
    }

    /// Marks everything behind a port that leads out of the machine as untrusted. Call this before ACS is enabled.
    ///
    /// Linux: `set_pcie_untrusted`, up to 6.12. Later versions ask the architecture, and on Arm the answer is that no
    /// device can be removed.
    pub fn mark_untrusted(&mut self) {
        // A function comes after the bridges that lead to it.
        for index in self.indices() {
            let above = self[index].parent.map(|parent| &self[parent]);
            let untrusted = above.is_some_and(|above| above.untrusted || above.external_facing);
            self.function_mut(index).untrusted = untrusted;
        }
    }
}
