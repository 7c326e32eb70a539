//! VIOT, the Virtual I/O Translation table: bytes to ranges and IOMMU nodes (ACPI 6.5, section 5.2.34).
//!
//! The rules are those of Linux's `drivers/acpi/viot.c`, except that a node's body is checked as well as
//! its header: Linux reads past the end of a table that is cut there.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{DeviceFunction, EndpointId, PciAddress, PhysAddr, RequesterId};
use probe::Severity;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::bytes::Bytes;
use super::spec::viot::{self as spec, kind};
use crate::findings::Findings;

/// Bytes of the table in front of its nodes.
const HEADER_SIZE: usize = size_of::<spec::Viot>();
/// Bytes of what all nodes begin with.
const NODE_HEADER_SIZE: usize = size_of::<spec::Node>();
/// Most ranges that are compared with each other.
const MAX_COMPARED: usize = 256;

/// Where an IOMMU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IommuPlace {
    /// A PCI function.
    Pci(PciAddress),
    /// The device whose registers contain this address.
    Mmio(PhysAddr),
}

impl core::fmt::Display for IommuPlace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Mmio(address) => write!(f, "the device at {address}"),
        }
    }
}

/// An IOMMU node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Iommu {
    /// Offset of the node from the start of the table.
    pub(super) offset: usize,
    pub(super) place: IommuPlace,
}

/// PCI functions, and the endpoint IDs by which an IOMMU knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PciRange {
    /// Offset of the node from the start of the table.
    pub(super) offset: usize,
    pub(super) first_endpoint: u32,
    pub(super) first_segment: u16,
    pub(super) last_segment: u16,
    pub(super) first_requester: u16,
    pub(super) last_requester: u16,
    /// Index into [`Viot::iommus`].
    pub(super) iommu: usize,
}

impl PciRange {
    fn is_empty(&self) -> bool {
        self.first_segment > self.last_segment || self.first_requester > self.last_requester
    }

    fn has_segment(&self, segment: u16) -> bool {
        (self.first_segment..=self.last_segment).contains(&segment)
    }

    fn contains(&self, segment: u16, requester: RequesterId) -> bool {
        self.has_segment(segment) && (self.first_requester..=self.last_requester).contains(&requester.0)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.first_segment <= other.last_segment
            && other.first_segment <= self.last_segment
            && self.first_requester <= other.last_requester
            && other.first_requester <= self.last_requester
    }

    fn encloses(&self, other: &Self) -> bool {
        self.first_segment <= other.first_segment
            && other.last_segment <= self.last_segment
            && self.first_requester <= other.first_requester
            && other.last_requester <= self.last_requester
    }

    /// The endpoint of a function in the range, with 32-bit arithmetic: a segment is 16 bits further on
    /// than the one before, however few requester IDs the range has (`viot_pci_dev_iommu_init`).
    fn endpoint(&self, segment: u16, requester: u16) -> EndpointId {
        let segments = u32::from(segment - self.first_segment) << 16;
        let step = segments.wrapping_add(u32::from(requester - self.first_requester));
        EndpointId(self.first_endpoint.wrapping_add(step))
    }
}

/// A device that is no PCI function, and its endpoint ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MmioEndpoint {
    /// Offset of the node from the start of the table.
    pub(super) offset: usize,
    pub(super) endpoint: EndpointId,
    /// Where the device's registers begin.
    pub(super) base: PhysAddr,
    /// Index into [`Viot::iommus`].
    pub(super) iommu: usize,
}

/// What a VIOT says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Viot {
    /// IOMMUs by offset: those among the nodes, and those to which a node leads.
    pub(super) iommus: Vec<Iommu>,
    /// In the order of the table; where two overlap, the later one counts.
    pub(super) ranges: Vec<PciRange>,
    /// In the order of the table; of two with one address the later one counts.
    pub(super) endpoints: Vec<MmioEndpoint>,
}

impl Viot {
    /// Reads a table whose common header and length are sound.
    pub(super) fn parse(table: &[u8], findings: &mut Findings) -> Self {
        let mut parser =
            Parser { table: Bytes::new(table), findings, iommus: BTreeMap::new(), first_node: 0 };
        let raw = parser.walk();
        let mut viot = parser.resolve(raw);
        viot.check(findings);
        viot.ranges.retain(|range| !range.is_empty());
        viot
    }

    /// Endpoint and IOMMU of a requester ID.
    pub(super) fn look_up(&self, segment: u16, requester: RequesterId) -> Option<(EndpointId, usize)> {
        // Linux puts each range in front of those before it, and takes the first that fits.
        let range = self.ranges.iter().rev().find(|range| range.contains(segment, requester))?;
        Some((range.endpoint(segment, requester.0), range.iommu))
    }

    /// Endpoint and IOMMU of the device whose first registers begin at `base`.
    pub(super) fn look_up_mmio(&self, base: PhysAddr) -> Option<(EndpointId, usize)> {
        let endpoint = self.endpoints.iter().rev().find(|endpoint| endpoint.base == base)?;
        Some((endpoint.endpoint, endpoint.iommu))
    }

    /// Whether any requester ID of these buses is in any range.
    pub(super) fn covers_bus(&self, segment: u16, first_bus: u8, last_bus: u8) -> bool {
        let first = RequesterId::new(first_bus, DeviceFunction::from_bits(0)).0;
        let last = RequesterId::new(last_bus, DeviceFunction::from_bits(u8::MAX)).0;
        self.ranges.iter().any(|range| {
            range.has_segment(segment) && range.first_requester <= last && first <= range.last_requester
        })
    }

    /// Findings about nodes that are valid by themselves.
    fn check(&self, findings: &mut Findings) {
        let mut warn =
            |id, offset, what: String| findings.add(id, Severity::Warning, node_place(offset), &what);
        for (number, range) in self.ranges.iter().enumerate() {
            if range.is_empty() {
                let what = format!(
                    "segments {:#x} to {:#x} and requester IDs {:#x} to {:#x} are an empty range; no function is in it",
                    range.first_segment, range.last_segment, range.first_requester, range.last_requester
                );
                warn("viot-range-empty", range.offset, what);
                continue;
            }
            let span = u32::from(range.last_segment - range.first_segment) << 16;
            let span = span | u32::from(range.last_requester - range.first_requester);
            if range.first_endpoint.checked_add(span).is_none() {
                let what = format!(
                    "endpoint IDs from {:#x} on exceed 32 bits; they wrap around to 0",
                    range.first_endpoint
                );
                warn("viot-range-wraps", range.offset, what);
            }
            if number >= MAX_COMPARED {
                continue;
            }
            let before = self.ranges[..number].iter().filter(|before| !before.is_empty());
            for before in before.filter(|before| before.overlaps(range)) {
                if range.encloses(before) {
                    let what =
                        format!("the later node at {:#x} covers all of it; it is never used", range.offset);
                    warn("viot-range-unreached", before.offset, what);
                } else {
                    let what = format!(
                        "overlaps the node at {:#x}; this later node is used where they overlap",
                        before.offset
                    );
                    warn("viot-range-overlap", range.offset, what);
                }
            }
        }
        if self.ranges.len() > MAX_COMPARED {
            let what = format!("more than {MAX_COMPARED} ranges; only these are compared with each other");
            findings.add("viot-long", Severity::Info, "VIOT", &what);
        }
        for (number, endpoint) in self.endpoints.iter().enumerate().take(MAX_COMPARED) {
            if let Some(before) = self.endpoints[..number].iter().find(|other| other.base == endpoint.base) {
                let what = format!(
                    "the later node at {:#x} is also for the device at {}; this one is never used",
                    endpoint.offset, endpoint.base
                );
                findings.add("viot-range-unreached", Severity::Warning, node_place(before.offset), &what);
            }
        }
    }
}

/// A node with endpoints whose IOMMU has not been looked up yet.
enum Raw {
    Pci(PciRange, u16),
    Mmio(MmioEndpoint, u16),
}

struct Parser<'a, 'f> {
    table: Bytes<'a>,
    findings: &'f mut Findings,
    /// IOMMUs by offset, and whether an endpoint leads there.
    iommus: BTreeMap<usize, (IommuPlace, bool)>,
    /// No node can begin before this offset.
    first_node: usize,
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
                Body::Iommu(place) => {
                    self.iommus.insert(at, (place, false));
                }
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
        let mut viot = Viot::default();
        let walked: Vec<usize> = self.iommus.keys().copied().collect();
        let mut resolved = Vec::with_capacity(raw.len());
        for node in raw {
            let (offset, target) = match &node {
                Raw::Pci(range, target) => (range.offset, usize::from(*target)),
                Raw::Mmio(endpoint, target) => (endpoint.offset, usize::from(*target)),
            };
            if !self.iommus.contains_key(&target) {
                match self.output(target) {
                    Ok(place) => {
                        let what = format!(
                            "the output node {target:#x} is beyond the node count, but it is an IOMMU node; it is used"
                        );
                        self.complain("viot-output-uncounted", Severity::Warning, &node_place(offset), &what);
                        self.iommus.insert(target, (place, true));
                    }
                    Err(fault) => {
                        let what =
                            format!("the output node {target:#x} {fault}; its endpoints are not translated");
                        self.complain("viot-output-invalid", Severity::Error, &node_place(offset), &what);
                        continue;
                    }
                }
            }
            if let Some((_, is_used)) = self.iommus.get_mut(&target) {
                *is_used = true;
            }
            resolved.push((node, target));
        }
        for offset in walked {
            if let Some((place, false)) = self.iommus.get(&offset).copied() {
                let place = format!("{} ({place})", node_place(offset));
                let what = "no node refers to this IOMMU; it translates no device";
                self.complain("iommu-unreferenced", Severity::Warning, &place, what);
            }
        }
        let offsets: Vec<usize> = self.iommus.keys().copied().collect();
        viot.iommus =
            self.iommus.iter().map(|(offset, (place, _))| Iommu { offset: *offset, place: *place }).collect();
        for (node, target) in resolved {
            // It was put there above.
            let Ok(iommu) = offsets.binary_search(&target) else { continue };
            match node {
                Raw::Pci(range, _) => viot.ranges.push(PciRange { iommu, ..range }),
                Raw::Mmio(endpoint, _) => viot.endpoints.push(MmioEndpoint { iommu, ..endpoint }),
            }
        }
        viot
    }

    /// The IOMMU node at an offset that was not among the nodes.
    fn output(&self, at: usize) -> Result<IommuPlace, &'static str> {
        if at < self.first_node {
            return Err("is before the first node");
        }
        let node = node(self.table, at).map_err(|_| "is outside the table")?;
        match body(node) {
            Ok(Body::Iommu(place)) => Ok(place),
            Ok(_) => Err("is not an IOMMU node"),
            Err(_) => Err("is too short for an IOMMU node"),
        }
    }
}

/// The place of a node in a finding.
pub(super) fn node_place(offset: usize) -> String {
    format!("VIOT node at {offset:#x}")
}

/// The content of a node.
enum Body {
    Iommu(IommuPlace),
    Endpoints(Raw),
    Unknown(u8),
}

/// The node at `at`, all of it.
fn node(table: Bytes<'_>, at: usize) -> Result<Bytes<'_>, String> {
    let length = table.read::<spec::Node>(at).map(|header| usize::from(header.length));
    let length = length.ok_or_else(|| format!("the header exceeds the table of {:#x} bytes", table.len()))?;
    if length < NODE_HEADER_SIZE {
        return Err(format!("length is {length:#x}, expected at least {NODE_HEADER_SIZE:#x}"));
    }
    table
        .part(at, length)
        .ok_or_else(|| format!("{length:#x} bytes exceed the table of {:#x} bytes", table.len()))
}

/// Reads the body of a node that is whole.
fn body(node: Bytes<'_>) -> Result<Body, String> {
    let kind = node.u8(0).unwrap_or_default();
    Ok(match kind {
        kind::PCI_RANGE => {
            let range: &spec::PciRange = whole(kind, node)?;
            let pci_range = PciRange {
                offset: node.offset,
                first_endpoint: range.endpoint_start.get(),
                first_segment: range.segment_start.get(),
                last_segment: range.segment_end.get(),
                first_requester: range.bdf_start.get(),
                last_requester: range.bdf_end.get(),
                iommu: 0,
            };
            Body::Endpoints(Raw::Pci(pci_range, range.output_node.get()))
        }
        kind::MMIO_ENDPOINT => {
            let device: &spec::MmioEndpoint = whole(kind, node)?;
            let endpoint = MmioEndpoint {
                offset: node.offset,
                endpoint: EndpointId(device.endpoint.get()),
                base: PhysAddr(device.base_address.get()),
                iommu: 0,
            };
            Body::Endpoints(Raw::Mmio(endpoint, device.output_node.get()))
        }
        kind::IOMMU_PCI => {
            let iommu: &spec::IommuPci = whole(kind, node)?;
            let requester = RequesterId(iommu.bdf.get());
            let (bus, devfn) = (requester.bus(), requester.devfn());
            Body::Iommu(IommuPlace::Pci(PciAddress { segment: iommu.segment.get(), bus, devfn }))
        }
        kind::IOMMU_MMIO => {
            let iommu: &spec::IommuMmio = whole(kind, node)?;
            Body::Iommu(IommuPlace::Mmio(PhysAddr(iommu.base_address.get())))
        }
        _ => Body::Unknown(kind),
    })
}

/// A node of this kind, if it is long enough for one.
fn whole<'a, T>(kind: u8, node: Bytes<'a>) -> Result<&'a T, String>
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    node.read(0).ok_or_else(|| {
        format!("length is {:#x}, expected at least {:#x} for type {kind}", node.len(), size_of::<T>())
    })
}
