//! Addresses on a PCI bus that lead to the registers of functions.

use alloc::vec::Vec;

use addr::{Iova, PciSpace, PciWindow, Range};

use crate::hardware::{Handle, Hardware};

impl Hardware {
    /// The memory windows of the host bridge that a function is behind, as addresses on its bus; none for a platform
    /// device.
    ///
    /// A bridge on the way may forward a request with such an address to a neighbour, whatever an IOMMU would
    /// translate it to. Linux keeps them out of a domain's addresses (`iova_reserve_pci_windows`), and the gaps between
    /// `dma-ranges` as well; QEMU's trees and tables do not have any.
    #[must_use]
    pub fn bridge_windows(&self, device: Handle) -> Vec<Range<Iova>> {
        let Handle::Function(index) = device else { return Vec::new() };
        let topology = &self.topology;
        let bridge = self.host_bridges.get(topology.bus_of(&topology[index]).root);
        bridge.map_or_else(Vec::new, |bridge| of_memory(&bridge.windows))
    }
}

/// The memory windows among `windows`, as addresses on the bus.
fn of_memory(windows: &[PciWindow]) -> Vec<Range<Iova>> {
    let memory = windows.iter().filter(|window| window.space != PciSpace::Io);
    memory.filter_map(|window| Range::from_size(Iova(window.bus_start), window.cpu.size())).collect()
}
