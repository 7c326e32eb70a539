//! One node of an IORT, and where its mappings lead an ID.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::acpi) enum Kind {
    /// A device of the namespace, by its path.
    NamedComponent(String),
    /// All host bridges of a segment.
    RootComplex(u32),
    /// An SMMU of version 1 or 2, by its registers.
    Smmu(PhysAddr),
    /// An SMMU of version 3, by its registers.
    SmmuV3(PhysAddr),
    /// Anything at which no way to an IOMMU ends.
    Other,
}

impl Kind {
    /// An IOMMU's name for people; `None` if it is none.
    pub(in crate::acpi) fn iommu_name(&self) -> Option<String> {
        match self {
            Self::Smmu(base) => Some(format!("SMMU at {base}")),
            Self::SmmuV3(base) => Some(format!("SMMUv3 at {base}")),
            _ => None,
        }
    }
}

/// One ID mapping: `length` IDs from `input` become as many from `output` of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) input: u32,
    /// The number of IDs minus one, as the table has it.
    pub(super) count: u32,
    pub(super) output: u32,
    /// Offset of the node to which it leads.
    pub(super) reference: u32,
    pub(super) is_single: bool,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::acpi) struct Node {
    /// Offset from the start of the table.
    pub(in crate::acpi) offset: usize,
    pub(in crate::acpi) kind: Kind,
    /// Whether a mapping may ignore its input ID.
    pub(super) may_be_single: bool,
    pub(super) mappings: Vec<Mapping>,
    /// The mapping that is for the node's own interrupts.
    pub(super) own_mapping: Option<usize>,
}

impl Node {
    /// The next node's offset and the ID there (`iort_node_map_id`).
    pub(super) fn step(&self, id: u32) -> Option<(u32, u32)> {
        self.hit(id).map(|hit| (hit.reference, hit.output))
    }

    /// The mapping that decides about an ID, and where that leads.
    ///
    /// A hit on the last ID of a range of several is provisional: some firmware counts IDs instead of IDs
    /// minus one, so that a range ends where the next begins. A later range that begins there counts.
    pub(super) fn hit(&self, id: u32) -> Option<Hit> {
        let mut provisional: Option<Hit> = None;
        for (number, mapping) in self.mappings.iter().enumerate() {
            if self.own_mapping == Some(number) {
                continue;
            }
            let hit = |output| Hit { number, reference: mapping.reference, output };
            if mapping.is_single {
                if self.may_be_single {
                    return Some(hit(mapping.output));
                }
                continue;
            }
            let Some(distance) = id.checked_sub(mapping.input).filter(|distance| *distance <= mapping.count)
            else {
                continue;
            };
            if provisional.is_some() && distance != 0 {
                continue;
            }
            let hit = hit(mapping.output.wrapping_add(distance));
            if distance == 0 || distance < mapping.count {
                return Some(hit);
            }
            provisional = Some(hit);
        }
        provisional
    }
}

/// What a node makes of an ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Number of the mapping.
    pub(super) number: usize,
    /// Offset of the next node.
    pub(super) reference: u32,
    /// The ID there.
    pub(super) output: u32,
}
