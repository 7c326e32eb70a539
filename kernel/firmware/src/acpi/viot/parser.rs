//! From the nodes of a VIOT to ranges, endpoints and the IOMMUs that they lead to.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use probe::{Findings, Severity};

use crate::acpi::bytes::Bytes;
use crate::acpi::spec::viot as spec;

use super::error::OutputError;
use super::node::{Body, Raw, body, node};
use super::table::{Iommu, IommuPlace, MmioEndpoint, PciRange, Viot, node_place};

/// Bytes of the table in front of its nodes.
const HEADER_SIZE: usize = size_of::<spec::Viot>();

impl Viot {
    /// Reads a table whose common header and length are sound.
    pub(in crate::acpi) fn parse(table: &[u8], findings: &mut Findings) -> Self {
        let mut parser = Parser { table: Bytes::new(table), findings, iommus: Vec::new(), first_node: 0 };
        let raw = parser.walk();
        let mut viot = parser.resolve(raw);
        viot.check(findings);
        viot.ranges.retain(|range| !range.is_empty());
        viot
    }
}

/// The nodes of a table, on the way to what they mean together.
struct Parser<'a, 'f> {
    table: Bytes<'a>,
    findings: &'f mut Findings,
    /// In the order of their offsets.
    iommus: Vec<Walked>,
    /// No node can begin before this offset.
    first_node: usize,
}

/// The node of an IOMMU.
struct Walked {
    offset: usize,
    place: IommuPlace,
    /// Whether an endpoint leads there.
    is_used: bool,
}

impl Parser<'_, '_> {
    fn complain(&mut self, id: &'static str, severity: Severity, place: &str, what: &str) {
        self.findings.add(id, severity, place, what);
    }

    /// Walks the nodes; a node with an invalid header or body ends the walk, and the nodes before it are used.
    fn walk(&mut self) -> Vec<Raw> {
        let Some(header) = self.table.read::<spec::Viot>(0) else { return Vec::new() };
        let count = header.node_count.get();
        let mut at = usize::from(header.node_offset);
        self.first_node = at.max(HEADER_SIZE);
        if at < HEADER_SIZE && count > 0 {
            let what = format!(
                "node_offset at 0x26 is {at:#x}, expected at least {HEADER_SIZE:#x}; no node is read"
            );
            self.complain("viot-node-broken", Severity::Error, "VIOT", &what);
            return Vec::new();
        }
        let mut raw = Vec::new();
        // The count has 16 bits, which bounds the loop; each round moves on by at least a node's header.
        for number in 0..count {
            let read = node(self.table, at).and_then(|node| Ok((node.len(), body(node)?)));
            let (length, body) = match read {
                Ok(read) => read,
                Err(fault) => {
                    let what =
                        format!("node {number} of {count}: {fault}; the rest of the table is not read");
                    self.complain("viot-node-broken", Severity::Error, &node_place(at), &what);
                    break;
                }
            };
            match body {
                Body::Iommu(place) => self.iommus.push(Walked { offset: at, place, is_used: false }),
                Body::Endpoints(endpoints) => raw.push(endpoints),
                Body::Unknown(kind) => {
                    let what = format!("unknown type {kind}; the node is ignored");
                    self.complain("viot-node-unknown", Severity::Warning, &node_place(at), &what);
                }
            }
            at += length;
        }
        raw
    }

    /// Resolves the IOMMU of each range and endpoint; one without a valid IOMMU is left out.
    fn resolve(mut self, raw: Vec<Raw>) -> Viot {
        let mut resolved = Vec::with_capacity(raw.len());
        for node in raw {
            let (offset, target) = match &node {
                Raw::Pci(range, target) => (range.offset, usize::from(*target)),
                Raw::Mmio(endpoint, target) => (endpoint.offset, usize::from(*target)),
            };
            match self.find(target) {
                Ok(at) => self.iommus[at].is_used = true,
                Err(at) => match self.output(target) {
                    Ok(place) => {
                        let what = format!(
                            "the output node {target:#x} is beyond the node count, but it is an IOMMU node; it is used"
                        );
                        self.complain("viot-output-uncounted", Severity::Warning, &node_place(offset), &what);
                        self.iommus.insert(at, Walked { offset: target, place, is_used: true });
                    }
                    Err(fault) => {
                        let what =
                            format!("the output node {target:#x} {fault}; its endpoints are not translated");
                        self.complain("viot-output-invalid", Severity::Error, &node_place(offset), &what);
                        continue;
                    }
                },
            }
            resolved.push((node, target));
        }
        let mut viot = Viot::default();
        for (node, target) in resolved {
            // It was put there above.
            let Ok(iommu) = self.find(target) else { continue };
            match node {
                Raw::Pci(range, _) => viot.ranges.push(PciRange { iommu, ..range }),
                Raw::Mmio(endpoint, _) => viot.endpoints.push(MmioEndpoint { iommu, ..endpoint }),
            }
        }
        for Walked { offset, place, is_used } in mem::take(&mut self.iommus) {
            if !is_used {
                let place = format!("{} ({place})", node_place(offset));
                let what = "no node refers to this IOMMU; it translates no device";
                self.complain("iommu-unreferenced", Severity::Warning, &place, what);
            }
            viot.iommus.push(Iommu { offset, place });
        }
        viot
    }

    /// The position of the IOMMU at an offset, or where it belongs.
    fn find(&self, offset: usize) -> Result<usize, usize> {
        self.iommus.binary_search_by_key(&offset, |iommu| iommu.offset)
    }

    /// The IOMMU node at an offset that was not among the nodes.
    ///
    /// # Errors
    ///
    /// There is no such node.
    fn output(&self, at: usize) -> Result<IommuPlace, OutputError> {
        if at < self.first_node {
            return Err(OutputError::BeforeFirstNode);
        }
        let node = node(self.table, at).map_err(|_| OutputError::OutsideTable)?;
        match body(node) {
            Ok(Body::Iommu(place)) => Ok(place),
            Ok(_) => Err(OutputError::NotAnIommu),
            Err(_) => Err(OutputError::TooShort),
        }
    }
}
