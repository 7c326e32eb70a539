//! `iommu-addresses` of reserved memory: I/O virtual addresses that a device's IOMMU must leave to it.
//!
//! A device names memory by `memory-region`; that memory's node may say which of the device's addresses it is
//! at (Linux binding `reserved-memory/reserved-memory.yaml`, read by `of_iommu_get_resv_regions`). With the same
//! addresses as its `reg` it is mapped one to one; with others, or without `reg`, it is kept free.

use alloc::format;
use alloc::vec::Vec;

use addr::{Iova, PhysAddr, Range};
use probe::{Findings, ReservedKind, ReservedRegion, Severity};

use super::address::{Cells, child_cells, dma_start, number, registers};
use super::tree::{NodeIndex, Tree};

const MEMORY_REGION: &str = "memory-region";
const IOMMU_ADDRESSES: &str = "iommu-addresses";
/// Most regions of one device.
const MAX_REGIONS: usize = 256;

/// The regions of every device that has any, in the order of the nodes.
pub(super) fn all(tree: &Tree, findings: &mut Findings) -> Vec<(NodeIndex, Vec<ReservedRegion>)> {
    let mut all = Vec::new();
    // Few trees have any such memory, and then there is nothing to look for on every node.
    let has_any = tree.nodes().any(|node| tree.property(node, IOMMU_ADDRESSES).is_some());
    for device in tree.nodes().filter(|_| has_any) {
        let Some(value) = tree.property(device, MEMORY_REGION) else { continue };
        let mut reader = Reader { tree, device, findings, regions: Vec::new() };
        for phandle in value.as_chunks::<4>().0 {
            if let Some(memory) = tree.by_phandle(u32::from_be_bytes(*phandle)) {
                reader.memory(memory);
            }
        }
        if !reader.regions.is_empty() {
            all.push((device, reader.regions));
        }
    }
    all
}

struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    device: NodeIndex,
    findings: &'t mut Findings,
    regions: Vec<ReservedRegion>,
}

impl Reader<'_, '_> {
    /// Reads what one memory node has for the device.
    fn memory(&mut self, memory: NodeIndex) {
        let tree = self.tree;
        let (Some(value), Some(bus)) = (tree.property(memory, IOMMU_ADDRESSES), tree.parent(self.device))
        else {
            return;
        };
        let physical = match registers(tree, memory).map(|entries| entries.into_iter().next()) {
            Ok(None) => None,
            Ok(Some(Ok(range))) => Some(range),
            Ok(Some(Err(error))) | Err(error) => {
                self.complain(memory, "reg", &format!("{error}; the device's addresses are not reserved"));
                return;
            }
        };
        let cells = child_cells(tree, bus);
        let Ok(cells) = cells.check() else {
            let what = format!("the device's bus has {cells}; the property is ignored");
            self.complain(memory, IOMMU_ADDRESSES, &what);
            return;
        };
        let mut left = value.as_chunks::<4>().0;
        while let [phandle, rest @ ..] = left {
            left = rest;
            // The length of what belongs to another device depends on that device's bus; Linux, too, looks at
            // each cell in turn for the next entry of this one.
            if tree.by_phandle(u32::from_be_bytes(*phandle)) != Some(self.device) {
                continue;
            }
            let Some((entry, rest)) = left.split_at_checked(cells.address + cells.size) else {
                self.complain(memory, IOMMU_ADDRESSES, "the last entry is cut short; it is ignored");
                return;
            };
            left = rest;
            if self.regions.len() >= MAX_REGIONS {
                let what = format!("more than {MAX_REGIONS} regions; the rest is ignored");
                self.complain(memory, IOMMU_ADDRESSES, &what);
                return;
            }
            self.entry(memory, bus, physical, entry.as_flattened(), cells);
        }
    }

    /// One entry: an address and a size as the device sees them.
    fn entry(
        &mut self,
        memory: NodeIndex,
        bus: NodeIndex,
        physical: Option<Range<PhysAddr>>,
        entry: &[u8],
        cells: Cells,
    ) {
        let (address, size) = entry.split_at(4 * cells.address);
        let start = match dma_start(self.tree, bus, number(address)) {
            Ok(start) => start,
            Err(error) => {
                let what = format!("address {:#x}: {error}; the entry is ignored", number(address));
                return self.complain(memory, IOMMU_ADDRESSES, &what);
            }
        };
        let Some(range) = Range::from_size(Iova(start), number(size) as u64) else {
            let what = format!(
                "{:#x} bytes at {start:#x} are not a valid range; the entry is ignored",
                number(size)
            );
            return self.complain(memory, IOMMU_ADDRESSES, &what);
        };
        let kind = match physical {
            Some(at) if (at.start().0, at.end().0) == (range.start().0, range.end().0) => {
                ReservedKind::Direct
            }
            Some(at) => {
                let what = format!(
                    "IOVAs {range} differ from the memory's addresses {at}; they are reserved but not mapped"
                );
                self.complain(memory, IOMMU_ADDRESSES, &what);
                ReservedKind::Reserved
            }
            None => ReservedKind::Reserved,
        };
        self.regions.push(ReservedRegion { range, kind });
    }

    fn complain(&mut self, memory: NodeIndex, property: &str, what: &str) {
        let place = format!("{}:{property}", self.tree.path(memory));
        let sentence = format!("for {}: {what}", self.tree.path(self.device));
        self.findings.add("iommu-addresses-malformed", Severity::Warning, place, sentence);
    }
}
