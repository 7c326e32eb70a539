//! Findings about an IORT whose nodes are valid by themselves.

use alloc::collections::BTreeMap;
use alloc::format;

use probe::{Findings, Severity};

use super::node::Kind;
use super::table::Iort;

impl Iort {
    /// Findings about nodes that are valid by themselves.
    pub(super) fn check(&self, findings: &mut Findings) {
        let mut used = alloc::vec![false; self.nodes.len()];
        for node in &self.nodes {
            for (number, mapping) in node.mappings.iter().enumerate() {
                let place = format!("IORT node at {:#x}, ID mapping {number}", node.offset);
                let mut complain = |id, severity, what: &str| {
                    findings.add(id, severity, &place, what);
                };
                match self.nodes.binary_search_by_key(&(mapping.reference as usize), |node| node.offset) {
                    Ok(target) => used[target] = true,
                    Err(_) => {
                        let what = format!(
                            "output reference {:#x} does not refer to a node; devices behind it are not translated",
                            mapping.reference
                        );
                        complain("iort-output-invalid", Severity::Error, &what);
                    }
                }
                if mapping.is_single && !node.may_be_single && node.own_mapping != Some(number) {
                    let what = "a single mapping, which this type of node cannot have; it is ignored";
                    complain("iort-single-mapping", Severity::Warning, what);
                } else if !mapping.is_single
                    && (mapping.input.checked_add(mapping.count).is_none()
                        || mapping.output.checked_add(mapping.count).is_none())
                {
                    complain(
                        "iort-mapping-wraps",
                        Severity::Warning,
                        "the IDs exceed 32 bits; they wrap around to 0",
                    );
                }
            }
        }
        for (node, is_used) in self.nodes.iter().zip(used) {
            if let Some(name) = node.kind.iommu_name()
                && !is_used
            {
                let place = format!("{name} (IORT node at {:#x})", node.offset);
                let what = "no ID mapping refers to this IOMMU; it translates no device";
                findings.add("iommu-unreferenced", Severity::Warning, &place, what);
            }
        }
        self.segments(findings);
    }

    /// Segments that several root complexes claim.
    fn segments(&self, findings: &mut Findings) {
        let mut first: BTreeMap<u32, usize> = BTreeMap::new();
        for node in &self.nodes {
            let Kind::RootComplex(segment) = node.kind else { continue };
            let taken = *first.entry(segment).or_insert(node.offset);
            if taken != node.offset {
                let place = format!("IORT node at {:#x}", node.offset);
                let what = format!(
                    "segment {segment:#x} already has the root complex at {taken:#x}; this node is ignored"
                );
                findings.add("iort-segment-repeated", Severity::Warning, &place, &what);
            }
        }
    }
}
