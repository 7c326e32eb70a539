//! Nodes of PCI functions: which node belongs to which function, whatever its status.
//!
//! Linux: `of_pci_find_child_device`, which it asks for each function with the node of the function's bus: the
//! host bridge's on the root bus, elsewhere that of the bridge to it (`pci_set_bus_of_node`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::DeviceFunction;
use probe::{Findings, Severity};

use super::iommu_map::IOMMU_CELLS;
use super::tree::{NodeIndex, Tree};
use crate::{FunctionBus, FunctionNode};

/// A virtio-iommu (virtio 1.2, section 5.13.1, with the PCI IDs of section 4.1.2).
const IOMMU_FUNCTION: [&str; 1] = ["pci1af4,1057"];
/// Bytes of one entry of a function's `reg`: three cells of address, two of size.
const REG_SIZE: usize = 20;
/// Where the device and function stand in the first cell (Open Firmware PCI binding, section 2.2.1.1).
const DEVFN_SHIFT: u32 = 8;
/// A node that stands around the functions of one device, as some firmware has it.
const MULTIFUNCTION: &str = "multifunc-device";

/// Nodes of all functions below a host bridge; those of a bus follow each other in the order of the tree.
pub(super) fn read(
    tree: &Tree,
    host: NodeIndex,
    first_bus: u8,
    findings: &mut Findings,
) -> Vec<FunctionNode> {
    let mut reader = Reader { tree, findings, functions: Vec::new() };
    reader.bus(host, FunctionBus::Number(first_bus));
    // Each function's node is a bus's too, if the function is a bridge. The tree is finite: so is the list.
    let mut next = 0;
    while let Some(function) = reader.functions.get(next) {
        let node = function.node;
        reader.bus(NodeIndex(node.0), FunctionBus::Behind(node));
        next += 1;
    }
    reader.functions
}

struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    findings: &'t mut Findings,
    functions: Vec<FunctionNode>,
}

impl Reader<'_, '_> {
    /// The functions on one bus, whose node is `parent`.
    fn bus(&mut self, parent: NodeIndex, bus: FunctionBus) {
        let tree = self.tree;
        let first = self.functions.len();
        for child in tree.children(parent) {
            self.function(parent, child, bus, first);
            if tree.base_name(child) == MULTIFUNCTION {
                for function in tree.children(child) {
                    self.function(parent, function, bus, first);
                }
            }
        }
    }

    /// One node; `first` is the place of the first function of its bus in the list.
    fn function(&mut self, parent: NodeIndex, node: NodeIndex, bus: FunctionBus, first: usize) {
        let tree = self.tree;
        let Some(reg) = tree.property(node, "reg") else { return };
        let Some(cell) = reg.first_chunk::<4>().filter(|_| reg.len() >= REG_SIZE) else {
            // On another bus, behind a USB controller say, it is not a function that is meant.
            if tree.own_cells(parent)[0] == Some(3) {
                let why = format!(
                    "{} bytes long, expected {REG_SIZE} (PCI address and size); the node is not matched to a function",
                    reg.len()
                );
                self.complain(node, &why);
            }
            return;
        };
        let place = DeviceFunction::from_bits((u32::from_be_bytes(*cell) >> DEVFN_SHIFT) as u8);
        if self.functions[first..].iter().any(|other| other.place == place) {
            let why = format!("another node already describes function {place}; this node is ignored");
            self.complain(node, &why);
            return;
        }
        let is_iommu =
            tree.property(node, IOMMU_CELLS).is_some() || tree.is_compatible(node, &IOMMU_FUNCTION);
        let enabled = tree.is_available(node);
        let external_facing = tree.property(node, "external-facing").is_some();
        let node = node.fw_node();
        self.functions.push(FunctionNode { bus, place, node, enabled, is_iommu, external_facing });
    }

    fn complain(&mut self, node: NodeIndex, what: &str) {
        let place = format!("{}:reg", self.tree.path(node));
        self.findings.add("pci-child-malformed", Severity::Warning, place, String::from(what));
    }
}
