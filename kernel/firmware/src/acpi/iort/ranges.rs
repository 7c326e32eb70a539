//! Where all IDs of a node lead, as few ranges: for people, who do not want to see 65,536 answers.
//!
//! Each range is what [`Iort::map`] answers for every ID in it. The answer can only change at the ends of a mapping.

use alloc::vec::Vec;

use super::node::Node;
use super::table::{Iort, MAX_DEPTH};

/// IDs that one mapping leads to one IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::acpi) struct Stretch {
    /// First and last input ID.
    pub(in crate::acpi) input: (u32, u32),
    /// Number of the mapping of the first node that decides.
    pub(in crate::acpi) mapping: usize,
    /// Index of the IOMMU's node.
    pub(in crate::acpi) iommu: usize,
    /// First and last stream ID; the same if all input IDs become one.
    pub(in crate::acpi) streams: (u32, u32),
}

/// How many mappings are looked at before a listing ends. A table of this size is not a machine's.
pub(in crate::acpi) struct Budget(u64);

impl Budget {
    const MAPPINGS: u64 = 4_000_000;

    pub(in crate::acpi) fn new() -> Self {
        Self(Self::MAPPINGS)
    }

    /// Whether it is used up: then what was listed is not complete.
    pub(in crate::acpi) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    /// Whether it allows for looking at so many more.
    fn take(&mut self, mappings: usize) -> bool {
        // Looking at a node costs something even if it has no mapping.
        self.0 = self.0.saturating_sub(mappings as u64 + 1);
        !self.is_spent()
    }
}

/// IDs on their way: those that they were at first, and what they are now.
#[derive(Clone, Copy)]
struct Travellers {
    input: (u32, u32),
    now: (u32, u32),
    mapping: Option<usize>,
}

impl Iort {
    /// Where the IDs up to `last` of a node lead; those that lead to no IOMMU are left out.
    pub(in crate::acpi) fn stretches(&self, start: &Node, last: u32, budget: &mut Budget) -> Vec<Stretch> {
        let mut found = Vec::new();
        let all = Travellers { input: (0, last), now: (0, last), mapping: None };
        self.follow(start, all, MAX_DEPTH, budget, &mut found);
        merged(found)
    }

    fn follow(
        &self,
        node: &Node,
        ids: Travellers,
        depth: usize,
        budget: &mut Budget,
        found: &mut Vec<Stretch>,
    ) {
        if node.kind.iommu_name().is_some() {
            let iommu = self.nodes.binary_search_by_key(&node.offset, |node| node.offset);
            if let (Ok(iommu), Some(mapping)) = (iommu, ids.mapping) {
                found.push(Stretch { input: ids.input, mapping, iommu, streams: ids.now });
            }
            return;
        }
        if depth == 0 {
            return;
        }
        for (first, last) in node.pieces(ids.now) {
            if !budget.take(node.mapping_count()) {
                return;
            }
            let (Some(hit), Some(end)) = (node.hit(first), node.hit(last)) else { continue };
            let Some(next) = self.at(hit.reference) else { continue };
            let (from, to) = (first - ids.now.0, last - ids.now.0);
            // All that have become one ID stay together.
            let is_one = ids.now.0 == ids.now.1;
            let input = if is_one { ids.input } else { (ids.input.0 + from, ids.input.0 + to) };
            let mapping = Some(ids.mapping.unwrap_or(hit.number));
            // IDs wrap around from the highest to 0.
            let until_wrap = u32::MAX - hit.output;
            let parts = if hit.output > end.output {
                let (middle, after) = (input.0 + until_wrap, input.0 + until_wrap + 1);
                [Some(((input.0, middle), (hit.output, u32::MAX))), Some(((after, input.1), (0, end.output)))]
            } else {
                [Some((input, (hit.output, end.output))), None]
            };
            for (input, now) in parts.into_iter().flatten() {
                self.follow(next, Travellers { input, now, mapping }, depth - 1, budget, found);
            }
        }
    }
}

impl Node {
    fn mapping_count(&self) -> usize {
        self.mappings.len()
    }

    /// Parts of a range in each of which one mapping decides about all IDs alike.
    fn pieces(&self, range: (u32, u32)) -> Vec<(u32, u32)> {
        let mut starts = alloc::vec![range.0];
        for mapping in self.mappings.iter().filter(|mapping| !mapping.is_single) {
            let end = mapping.input.checked_add(mapping.count);
            let ends = [end, end.and_then(|end| end.checked_add(1))].into_iter().flatten();
            let begins = [Some(mapping.input), mapping.input.checked_add(1)].into_iter().flatten();
            starts.extend(begins.chain(ends).filter(|start| (range.0 + 1..=range.1).contains(start)));
        }
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|start| start - 1).chain([range.1]);
        starts.iter().copied().zip(ends).collect()
    }
}

/// Neighbours that continue each other, as one.
fn merged(found: Vec<Stretch>) -> Vec<Stretch> {
    let mut merged: Vec<Stretch> = Vec::new();
    for next in found {
        let last = merged.last_mut().filter(|last| last.continues_in(&next));
        match last {
            Some(last) => (last.input.1, last.streams.1) = (next.input.1, next.streams.1),
            None => merged.push(next),
        }
    }
    merged
}

impl Stretch {
    fn continues_in(&self, next: &Self) -> bool {
        let is_same = self.iommu == next.iommu && self.mapping == next.mapping;
        let is_one = |one: &Self| one.streams.0 == one.streams.1 && one.input.0 != one.input.1;
        let follows = self.input.1.checked_add(1) == Some(next.input.0)
            && self.streams.1.checked_add(1) == Some(next.streams.0);
        is_same && follows && !is_one(self) && !is_one(next)
    }
}

#[cfg(test)]
mod tests {
    use addr::PhysAddr;

    use super::super::node::{Kind, Mapping};
    use super::super::table::Way;
    use super::*;

    const SMMU: u32 = 0x100;
    const OTHER: u32 = 0x200;
    const ITS: u32 = 0x300;

    fn mapping(input: u32, count: u32, output: u32, reference: u32) -> Mapping {
        Mapping { input, count, output, reference, is_single: false }
    }

    fn node(offset: u32, kind: Kind, mappings: &[Mapping]) -> Node {
        let (mappings, may_be_single) = (mappings.to_vec(), kind == Kind::RootComplex(0));
        Node { offset: offset as usize, kind, may_be_single, mappings, own_mapping: None }
    }

    /// A root complex with these mappings; an IOMMU; a node that leads on to it; a node that is none.
    fn table(mappings: &[Mapping]) -> Iort {
        let nodes = alloc::vec![
            node(0x30, Kind::RootComplex(0), mappings),
            node(SMMU, Kind::SmmuV3(PhysAddr(0x905_0000)), &[]),
            node(OTHER, Kind::Other, &[mapping(0x10, 0xf, 0x800, SMMU), mapping(0x20, 0xf, 0x10, SMMU)]),
            node(ITS, Kind::Other, &[]),
        ];
        Iort { nodes }
    }

    /// Every ID is in the stretch that leads where the table leads it.
    fn agree(iort: &Iort) -> Vec<Stretch> {
        let start = &iort.nodes[0];
        let stretches = iort.stretches(start, 0xffff, &mut Budget::new());
        for id in 0..=0xffff {
            let stretch = stretches.iter().find(|one| (one.input.0..=one.input.1).contains(&id));
            let by_stretch = stretch.map(|one| {
                let is_one = one.streams.0 == one.streams.1;
                (one.iommu, if is_one { one.streams.0 } else { one.streams.0 + (id - one.input.0) })
            });
            let by_table = match iort.map(start, id) {
                Way::Iommu { node, stream } => Some((node, stream)),
                Way::Nowhere | Way::Broken { .. } => None,
            };
            assert_eq!(by_stretch, by_table, "{id:#x}");
        }
        stretches
    }

    #[test]
    fn a_mapping_of_all_ids_is_one_stretch() {
        let stretches = agree(&table(&[mapping(0, 0xffff, 0, SMMU)]));
        let all = Stretch { input: (0, 0xffff), mapping: 0, iommu: 1, streams: (0, 0xffff) };
        assert_eq!(stretches, [all]);
    }

    #[test]
    fn overlaps_ranges_one_too_long_and_ways_over_several_nodes_are_as_the_table_has_them() {
        for mappings in [
            &[mapping(0, 0x100, 0x4000, SMMU), mapping(0x100, 0xff, 0, SMMU)][..],
            &[mapping(0, 0xff, 0, OTHER), mapping(0x80, 0x1ff, 0x9000, SMMU)],
            &[mapping(5, 0, 7, SMMU), mapping(4, 2, 0, SMMU), mapping(0x100, 0xff, 0, ITS)],
            &[mapping(0, 0xffff, 0xffff_fff0, SMMU), mapping(0, 3, 0, 0x999)],
            &[Mapping { is_single: true, ..mapping(0, 0, 0x15, OTHER) }],
        ] {
            agree(&table(mappings));
        }
    }

    #[test]
    fn a_loop_and_a_table_of_mappings_alone_come_to_an_end() {
        let mut many = table(&[mapping(0, 0xffff, 0, OTHER)]);
        many.nodes[2].mappings = (0..3_000).map(|id| mapping(id, 0, id, OTHER)).collect();
        let mut budget = Budget::new();
        assert_eq!(many.stretches(&many.nodes[0], 0xffff, &mut budget), []);
        assert!(budget.is_spent());
    }
}
