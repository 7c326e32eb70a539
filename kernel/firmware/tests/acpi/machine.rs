//! Small machines made of tables, one for each rule.

use acpi_tables::Aml;
use acpi_tables::aml::{AddressSpace, Device, Memory32Fixed, Name, ResourceTemplate, Scope};
use addr::{PhysAddr, Range, RequesterId};
use firmware::Description;
use firmware::acpi::{AcpiMap, Arena, PhysicalMemory, Surroundings, Tables, describe};
use probe::{Finding, FirmwareMap, FwNode, InputIds, Translation};

use crate::acpi_handler::open;

/// Memory in which nothing lies but what was put there.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Vec<(u64, Vec<u8>)>);

impl PhysicalMemory for Memory {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        self.0.iter().find_map(|(start, chunk)| {
            let offset = usize::try_from(at.0.checked_sub(*start)?).ok()?;
            Some(chunk.get(offset..offset.checked_add(bytes)?)?.to_vec())
        })
    }
}

/// Makes the byte at `at` such that all of `bytes` add up to 0.
pub(crate) fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
}

/// A table with its header.
pub(crate) fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend((36 + body.len() as u32).to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend(b"TEST  TESTTEST\x01\0\0\0TEST\x01\0\0\0");
    assert_eq!(bytes.len(), 36);
    bytes.extend(body);
    seal(&mut bytes, 9);
    bytes
}

/// Where the machine's tables begin.
pub(crate) const RSDP: PhysAddr = PhysAddr(0x1000);
const ROOT: u64 = 0x2000;
const FIRST: u64 = 0x10_0000;
const STEP: u64 = 0x10_0000;

/// An RSDP of revision 2 for an XSDT at `root`.
pub(crate) fn rsdp(root: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0TEST  \x02\0\0\0\0\x24\0\0\0".to_vec();
    bytes.extend(root.to_le_bytes());
    bytes.extend([0; 4]);
    seal(&mut bytes[..20], 8);
    seal(&mut bytes, 32);
    bytes
}

/// Memory with these tables, an XSDT and an RSDP; the last one is the DSDT that the FADT names.
pub(crate) fn memory(tables: &[Vec<u8>], dsdt: &[u8]) -> Memory {
    let mut memory = Memory::default();
    let dsdt_at = FIRST - STEP / 2;
    let mut fadt = vec![0; 276 - 36];
    fadt[140 - 36..148 - 36].copy_from_slice(&dsdt_at.to_le_bytes());
    fadt[129 - 36] = 3;
    let tables = [&[table(b"FACP", &fadt)], tables].concat();
    let mut entries = Vec::new();
    for (number, bytes) in tables.into_iter().enumerate() {
        let at = FIRST + number as u64 * STEP;
        entries.extend(at.to_le_bytes());
        memory.0.push((at, bytes));
    }
    memory.0.push((dsdt_at, dsdt.to_vec()));
    memory.0.push((ROOT, table(b"XSDT", &entries)));
    memory.0.push((RSDP.0, rsdp(ROOT)));
    memory
}

/// An MCFG with these entries: base, segment, first and last bus.
pub(crate) fn mcfg(entries: &[(u64, u16, u8, u8)]) -> Vec<u8> {
    let mut body = vec![0; 8];
    for (base, segment, first, last) in entries {
        body.extend(base.to_le_bytes());
        body.extend(segment.to_le_bytes());
        body.extend([*first, *last, 0, 0, 0, 0]);
    }
    table(b"MCFG", &body)
}

/// What a `Device` of the test namespace has.
#[derive(Clone, Default)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) hid: &'static str,
    pub(crate) segment: Option<u16>,
    pub(crate) buses: Option<(u16, u16)>,
    pub(crate) bbn: Option<u16>,
    pub(crate) memory: Vec<(u32, u32)>,
    pub(crate) windows: Vec<(u64, u64, u64)>,
    pub(crate) status: Option<u8>,
    pub(crate) without_cca: bool,
}

/// A host bridge with these buses.
pub(crate) fn host_bridge(name: &'static str, segment: u16, buses: (u16, u16)) -> Node {
    Node { name, hid: "PNP0A08", segment: Some(segment), buses: Some(buses), ..Node::default() }
}

/// A device with registers.
pub(crate) fn device(name: &'static str, hid: &'static str, base: u32) -> Node {
    Node { name, hid, memory: vec![(base, 0x200)], ..Node::default() }
}

/// A DSDT with these devices below `\_SB`.
pub(crate) fn dsdt(nodes: &[Node]) -> Vec<u8> {
    let mut bodies = Vec::new();
    for node in nodes {
        let memory: Vec<_> =
            node.memory.iter().map(|(base, size)| Memory32Fixed::new(true, *base, *size)).collect();
        let buses = node.buses.map(|(first, last)| AddressSpace::<u16>::new_bus_number(first, last));
        let caching = acpi_tables::aml::AddressSpaceCacheable::NotCacheable;
        let windows: Vec<_> = node
            .windows
            .iter()
            .map(|(start, end, translation)| {
                AddressSpace::<u64>::new_memory(caching, true, *start, *end, Some(*translation))
            })
            .collect();
        let mut resources: Vec<&dyn Aml> = Vec::new();
        resources.extend(memory.iter().map(|item| item as &dyn Aml));
        resources.extend(buses.iter().map(|item| item as &dyn Aml));
        resources.extend(windows.iter().map(|item| item as &dyn Aml));
        let template = ResourceTemplate::new(resources);
        let hid = Name::new("_HID".into(), &node.hid);
        let crs = Name::new("_CRS".into(), &template);
        let cca = Name::new("_CCA".into(), &1u8);
        let segment = node.segment.map(|segment| Name::new("_SEG".into(), &segment));
        let bbn = node.bbn.map(|bbn| Name::new("_BBN".into(), &bbn));
        let status = node.status.map(|status| Name::new("_STA".into(), &status));
        let cid = Name::new("_CID".into(), &"PNP0A03");
        let mut children: Vec<&dyn Aml> = vec![&hid, &crs];
        if node.hid == "PNP0A08" {
            children.push(&cid);
        }
        if !node.without_cca {
            children.push(&cca);
        }
        for name in [&segment, &bbn, &status].into_iter().flatten() {
            children.push(name);
        }
        Device::new(node.name.into(), children).to_aml_bytes(&mut bodies);
    }
    let scope = Scope::raw("\\_SB_".into(), bodies);
    table(b"DSDT", &scope)
}

/// A machine that was read.
pub(crate) struct Machine {
    pub(crate) description: Description,
    pub(crate) map: AcpiMap,
}

/// RAM, so that the rest can be tried.
pub(crate) fn surroundings() -> Surroundings {
    let ram = Range::from_size(PhysAddr(0x4000_0000), 128 << 20).unwrap();
    Surroundings { memory: vec![ram], ..Surroundings::default() }
}

/// Reads sound tables, as the kernel does.
pub(crate) fn read_tables(tables: &Tables) -> Machine {
    let arena = Arena::new(tables);
    let opened = open(&arena).unwrap();
    let (description, map) = describe(tables, &opened, surroundings()).unwrap();
    Machine { description, map }
}

/// Reads what is in `memory`.
pub(crate) fn read(memory: &dyn PhysicalMemory, rsdp: PhysAddr) -> Machine {
    let tables = Tables::gather(rsdp, memory).unwrap();
    read_tables(&tables)
}

/// A machine with one segment for each of `segments`, 16 devices with registers, and these tables.
pub(crate) fn machine(segments: &[u16], tables: &[Vec<u8>]) -> Machine {
    const NAMES: [&str; 4] = ["PCI0", "PCI1", "PCI2", "PCI3"];
    let mut nodes: Vec<Node> =
        NAMES.iter().zip(segments).map(|(name, segment)| host_bridge(name, *segment, (0, 255))).collect();
    nodes.push(device("DEV0", "LNRO0005", 0x0a00_0000));
    nodes.push(device("DEV1", "LNRO0005", 0x0a00_0200));
    nodes.push(device("DEV2", "LNRO0005", 0x0a00_0400));
    let ecam: Vec<_> =
        segments.iter().map(|segment| (1 << 36 | u64::from(*segment) << 28, *segment, 0, 255)).collect();
    let tables = [&[mcfg(&ecam)], tables].concat();
    read(&memory(&tables, &dsdt(&nodes)), RSDP)
}

impl Machine {
    pub(crate) fn finding_ids(&self) -> Vec<&'static str> {
        self.description.findings.iter().map(|finding| finding.id).collect()
    }

    pub(crate) fn finding(&self, id: &str) -> &Finding {
        let found = self.description.findings.iter().find(|finding| finding.id == id);
        found.unwrap_or_else(|| panic!("no {id} among {:#?}", self.description.findings))
    }

    pub(crate) fn bridge(&self, segment: u16) -> FwNode {
        self.description.host_bridges.iter().find(|bridge| bridge.segment == segment).unwrap().node
    }

    pub(crate) fn device(&self, name: &str) -> FwNode {
        self.description.platform_devices.iter().find(|device| device.name == name).unwrap().node
    }

    /// Endpoints of a function, with the names of their IOMMUs.
    pub(crate) fn function(
        &self,
        segment: u16,
        requesters: &[u16],
    ) -> Result<Vec<(String, u32)>, Translation> {
        let ids = InputIds::Requesters(requesters.iter().copied().map(RequesterId).collect());
        self.endpoints(self.bridge(segment), &ids)
    }

    pub(crate) fn endpoints(&self, at: FwNode, ids: &InputIds) -> Result<Vec<(String, u32)>, Translation> {
        match self.map.translate(at, ids).unwrap() {
            Translation::Endpoints(list) => {
                Ok(list.iter().map(|found| (self.map.name(found.iommu), found.endpoint.0)).collect())
            }
            nowhere => Err(nowhere),
        }
    }
}
