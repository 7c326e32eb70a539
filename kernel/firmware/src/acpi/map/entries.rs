//! The entries of both tables, with their places.

use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::FwNode;

use crate::acpi::bytes::Bytes;
use crate::acpi::gate::Tables;
use crate::acpi::iort::Way;
use crate::acpi::iort::{Budget, Kind};
use crate::acpi::spec::iort as spec;

use super::AcpiMap;
use super::translate::{IORT, VIOT};

/// The last requester ID.
const LAST_REQUESTER: u32 = 0xffff;

/// An entry of a table that leads to an IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// The table, as in a report: `iort`, `viot`.
    pub table: &'static str,
    /// Where in the table the entry begins: a node of the VIOT, an ID mapping of the IORT.
    pub offset: usize,
    /// Whose IDs it is about.
    pub subject: EntrySubject,
    /// The node of the IOMMU; none for a VIOT's IOMMU that is not in the namespace.
    pub iommu: Option<FwNode>,
    /// Where in the table the IOMMU's node begins.
    pub iommu_offset: usize,
    /// First and last ID at the IOMMU: stream IDs of an SMMU, else endpoint IDs; the same if all become one.
    pub ids: (u32, u32),
}

/// Whose IDs an entry translates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntrySubject {
    /// Functions of PCI segments.
    Requesters {
        /// First and last segment.
        segments: (u16, u16),
        /// First and last requester ID in each.
        ids: (u32, u32),
    },
    /// A device of the namespace, by its path.
    Device(String),
    /// The device whose registers begin here.
    Registers(PhysAddr),
}

impl AcpiMap {
    /// All entries, and whether there are more.
    pub(in crate::acpi) fn entries(&self, tables: &Tables) -> (Vec<TableEntry>, bool) {
        let mut entries = Vec::new();
        let mut budget = Budget::new();
        self.entries_of_iort(tables, &mut budget, &mut entries);
        self.entries_of_viot(&mut entries);
        (entries, budget.is_spent())
    }

    fn entries_of_iort(&self, tables: &Tables, budget: &mut Budget, entries: &mut Vec<TableEntry>) {
        let (Some(iort), Some(table)) = (&self.iort, tables.first(*b"IORT")) else { return };
        let table = Bytes::new(&table.bytes);
        let mut add = |node: usize, mapping: usize, subject, iommu: usize, ids| {
            let first = table.read::<spec::Node>(node).map_or(0, |node| node.mapping_offset.get() as usize);
            let offset = node + first + mapping * size_of::<spec::IdMapping>();
            let iommu_offset = iort.nodes.get(iommu).map_or(0, |node| node.offset);
            let iommu = self.iort_nodes.get(&iommu).copied();
            entries.push(TableEntry { table: IORT, offset, subject, iommu, iommu_offset, ids });
        };
        for node in &iort.nodes {
            match &node.kind {
                Kind::RootComplex(segment) => {
                    // Of several for one segment, the first counts.
                    let Ok(segment) = u16::try_from(*segment) else { continue };
                    if iort.root_complex(segment) != Some(node) {
                        continue;
                    }
                    for stretch in iort.stretches(node, LAST_REQUESTER, budget) {
                        let subject =
                            EntrySubject::Requesters { segments: (segment, segment), ids: stretch.input };
                        add(node.offset, stretch.mapping, subject, stretch.iommu, stretch.streams);
                    }
                }
                Kind::NamedComponent(path) => {
                    for (number, way) in iort.map_component(node).into_iter().enumerate() {
                        if let Way::Iommu { node: iommu, stream } = way {
                            let subject = EntrySubject::Device(path.clone());
                            add(node.offset, number, subject, iommu, (stream, stream));
                        }
                    }
                }
                Kind::Smmu(_) | Kind::SmmuV3(_) | Kind::Other => {}
            }
        }
    }

    fn entries_of_viot(&self, entries: &mut Vec<TableEntry>) {
        let Some(viot) = &self.viot else { return };
        let mut add = |offset, subject, iommu: usize, ids| {
            let iommu_offset = viot.iommus.get(iommu).map_or(0, |iommu| iommu.offset);
            let iommu = self.viot_nodes.get(iommu).copied().flatten();
            entries.push(TableEntry { table: VIOT, offset, subject, iommu, iommu_offset, ids });
        };
        for range in &viot.ranges {
            let (first, last) = (u32::from(range.first_requester), u32::from(range.last_requester));
            let subject = EntrySubject::Requesters {
                segments: (range.first_segment, range.last_segment),
                ids: (first, last),
            };
            let segments = u32::from(range.last_segment.saturating_sub(range.first_segment)) << 16;
            let end = range.first_endpoint.wrapping_add(segments).wrapping_add(last.saturating_sub(first));
            add(range.offset, subject, range.iommu, (range.first_endpoint, end));
        }
        for endpoint in &viot.endpoints {
            let id = endpoint.endpoint.0;
            add(endpoint.offset, EntrySubject::Registers(endpoint.base), endpoint.iommu, (id, id));
        }
    }

    /// The IOMMUs of both tables: node, and where in which table they are.
    pub fn iommus(&self) -> impl Iterator<Item = (Option<FwNode>, &'static str, usize)> {
        let of_iort =
            self.iort.iter().flat_map(|iort| &iort.nodes).enumerate().filter_map(|(index, node)| {
                node.kind.iommu_name()?;
                Some((self.iort_nodes.get(&index).copied(), IORT, node.offset))
            });
        let of_viot = self.viot.iter().flat_map(|viot| viot.iommus.iter().zip(&self.viot_nodes));
        of_iort.chain(of_viot.map(|(iommu, node)| (*node, VIOT, iommu.offset)))
    }
}
