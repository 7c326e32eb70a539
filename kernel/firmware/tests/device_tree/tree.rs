//! Trees as a few lines of Rust, written out by `vm-fdt`.

use firmware::Description;
use firmware::device_tree::{DeviceTree, DeviceTreeMap, MapForm};
use probe::{FirmwareMap, FwNode, Severity};
use vm_fdt::{FdtReserveEntry, FdtWriter};

/// A node in the making.
pub(crate) struct Node {
    name: String,
    properties: Vec<(String, Vec<u8>)>,
    children: Vec<Node>,
}

pub(crate) fn node(name: &str) -> Node {
    Node { name: name.into(), properties: Vec::new(), children: Vec::new() }
}

impl Node {
    pub(crate) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    pub(crate) fn cells(self, name: &str, cells: &[u32]) -> Self {
        let value: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.bytes(name, &value)
    }

    pub(crate) fn flag(self, name: &str) -> Self {
        self.bytes(name, &[])
    }

    /// Strings, each with a NUL behind it.
    pub(crate) fn texts(self, name: &str, texts: &[&str]) -> Self {
        let value: Vec<u8> = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        self.bytes(name, &value)
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.texts(name, &[text])
    }

    pub(crate) fn child(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    fn write(&self, writer: &mut FdtWriter) {
        let open = writer.begin_node(&self.name).unwrap();
        for (name, value) in &self.properties {
            writer.property(name, value).unwrap();
        }
        for child in &self.children {
            child.write(writer);
        }
        writer.end_node(open).unwrap();
    }
}

/// 128 MiB of RAM at 1 GiB.
pub(crate) fn ram() -> Node {
    node("memory@40000000").text("device_type", "memory").cells("reg", &[0, 0x4000_0000, 0, 0x800_0000])
}

/// A root with two cells each for addresses and sizes.
pub(crate) fn root(children: impl IntoIterator<Item = Node>) -> Node {
    let root = node("").cells("#address-cells", &[2]).cells("#size-cells", &[2]);
    children.into_iter().fold(root, Node::child)
}

/// The blob of a tree.
pub(crate) fn blob(root: &Node) -> Vec<u8> {
    blob_with(root, &[])
}

/// The blob of a tree with memory reservations.
pub(crate) fn blob_with(root: &Node, reservations: &[(u64, u64)]) -> Vec<u8> {
    let entries: Vec<_> =
        reservations.iter().map(|(address, size)| FdtReserveEntry::new(*address, *size).unwrap()).collect();
    let mut writer = FdtWriter::new_with_mem_reserv(&entries).unwrap();
    root.write(&mut writer);
    writer.finish().unwrap()
}

/// A machine with RAM, and what it is described as.
pub(crate) struct Machine {
    pub(crate) description: Description,
    pub(crate) map: DeviceTreeMap,
}

/// A machine with RAM, a CPU unless `children` bring `/cpus`, and these nodes.
pub(crate) fn machine(children: impl IntoIterator<Item = Node>) -> Machine {
    read(&blob_of(children))
}

/// The blob of such a machine.
pub(crate) fn blob_of(children: impl IntoIterator<Item = Node>) -> Vec<u8> {
    let mut children: Vec<_> = children.into_iter().collect();
    if !children.iter().any(|child| child.name == "cpus") {
        children.insert(0, node("cpus").child(node("cpu@0").text("device_type", "cpu")));
    }
    blob(&root([ram()].into_iter().chain(children)))
}

pub(crate) fn read(blob: &[u8]) -> Machine {
    read_with(blob, MapForm::default())
}

/// What Linux of one age makes of a blob.
pub(crate) fn read_with(blob: &[u8], form: MapForm) -> Machine {
    let (description, map) = DeviceTree::open(blob).unwrap().describe(form).unwrap();
    for finding in &description.findings {
        // The report puts the place in front of the sentence.
        let rest = finding.sentence.strip_prefix(&finding.place);
        let is_twice = rest.is_some_and(|rest| rest.starts_with([':', ' ']));
        assert!(!is_twice, "says its place twice: {finding:?}");
    }
    Machine { description, map }
}

impl Machine {
    /// The node with this path.
    pub(crate) fn at(&self, path: &str) -> FwNode {
        let mut nodes = (0..self.map.node_count()).map(FwNode);
        nodes.find(|node| self.map.name(*node) == path).unwrap_or_else(|| panic!("no node {path}"))
    }

    /// Findings as id and place, in their order.
    pub(crate) fn findings(&self) -> Vec<(&str, &str)> {
        self.description.findings.iter().map(|finding| (finding.id, finding.place.as_str())).collect()
    }

    /// The sentence of the only finding with this id.
    pub(crate) fn sentence(&self, id: &str) -> &str {
        &self.finding(id).sentence
    }

    /// The place and the sentence of the one finding `id`.
    pub(crate) fn line(&self, id: &str) -> String {
        let finding = self.finding(id);
        format!("{}: {}", finding.place, finding.sentence)
    }

    fn finding(&self, id: &str) -> &probe::Finding {
        let mut found = self.description.findings.iter().filter(|finding| finding.id == id);
        let first = found.next().unwrap_or_else(|| panic!("no {id} in {:?}", self.description.findings));
        assert_eq!(found.next(), None, "{id} is said once");
        first
    }

    pub(crate) fn severity(&self, id: &str) -> Severity {
        self.description.findings.iter().find(|finding| finding.id == id).unwrap().severity
    }

    /// Names of the platform devices.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.description.platform_devices.iter().map(|device| device.name.as_str()).collect()
    }
}

/// A complete host bridge at the root with these additions; an ECAM of 256 MiB.
pub(crate) fn host_bridge() -> Node {
    node("pcie@10000000")
        .text("compatible", "pci-host-ecam-generic")
        .text("device_type", "pci")
        .cells("#address-cells", &[3])
        .cells("#size-cells", &[2])
        .cells("reg", &[0x40, 0x1000_0000, 0, 0x1000_0000])
        .cells("ranges", &[0x0200_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x2eff_0000])
}

/// An IOMMU with this phandle and number of cells.
pub(crate) fn iommu(name: &str, phandle: u32, cells: u32) -> Node {
    node(name).text("compatible", "some,iommu").cells("phandle", &[phandle]).cells("#iommu-cells", &[cells])
}
