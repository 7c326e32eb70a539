//! A view of the whole tree: nodes with parents and properties, found by index, path or phandle.
//!
//! The gate builds it; afterwards every question is a look into a table.

use alloc::string::String;
use alloc::vec::Vec;

/// Number of a node in the order of the blob; the root has 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeIndex(pub(super) u32);

impl NodeIndex {
    pub(super) const ROOT: Self = Self(0);

    fn position(self) -> usize {
        self.0 as usize
    }
}

/// The tree.
#[derive(Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// Of all nodes, node by node.
    properties: Vec<Property<'a>>,
    /// Sorted; of nodes with the same phandle the first in the tree stands first.
    phandles: Vec<(u32, NodeIndex)>,
    reservations: Vec<(u64, u64)>,
    malformed: Vec<Malformed>,
}

/// A property that its readers cannot take as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) node: NodeIndex,
    pub(super) property: &'static str,
}

/// Properties that are one cell wherever they stand, and are read on every node.
const ONE_CELL: [&str; 6] =
    ["#address-cells", "#size-cells", "#iommu-cells", "phandle", "linux,phandle", "linux,pci-domain"];

struct Node<'a> {
    name: &'a str,
    parent: Option<NodeIndex>,
    /// First and one past the last of its properties.
    properties: (u32, u32),
    /// The node behind the last of its descendants.
    end: u32,
    /// Value of `compatible`, which is asked for most often; empty if there is none.
    compatible: &'a [u8],
    is_available: bool,
    /// `#address-cells` and `#size-cells`, as far as they can be read.
    cells: [Option<u32>; 2],
}

impl<'a> Node<'a> {
    /// Notes what every node is asked for, and gives the name of a property that is malformed.
    ///
    /// Of several properties with one name the first counts, as in Linux's `__of_find_property`.
    fn note(&mut self, property: &Property<'a>, seen: &mut Seen) -> Option<&'static str> {
        let first_cell = || first_cell(property.value);
        match property.name {
            "compatible" if !seen.compatible => {
                (seen.compatible, self.compatible) = (true, property.value);
            }
            "status" if !seen.status => {
                // Linux: `__of_device_is_available`.
                seen.status = true;
                let status = c_string(property.value);
                self.is_available = matches!(status, Some(b"okay" | b"ok"));
                return status.is_none().then_some("status");
            }
            "#address-cells" if self.cells[0].is_none() => self.cells[0] = first_cell(),
            "#size-cells" if self.cells[1].is_none() => self.cells[1] = first_cell(),
            // The first that is not 0 counts (Linux: `populate_properties`).
            "phandle" | "linux,phandle" if seen.phandle == 0 => seen.phandle = first_cell().unwrap_or(0),
            _ => {}
        }
        let name = || ONE_CELL.iter().copied().find(|name| *name == property.name);
        if property.value.len() == 4 { None } else { name() }
    }
}

/// Which of the properties that every node is asked for it has shown so far.
#[derive(Clone, Copy, Default)]
struct Seen {
    compatible: bool,
    status: bool,
    /// 0 if there was none.
    phandle: u32,
}

/// A tree in the making.
///
/// The gate decides what may come next: a node inside the root, a property before its node's children.
#[derive(Default)]
pub(super) struct Builder<'a> {
    tree: Tree<'a>,
    /// The way from the root to the innermost open node.
    open: Vec<NodeIndex>,
    /// What the last node has shown.
    seen: Seen,
}

impl<'a> Builder<'a> {
    /// How many nodes are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.tree.nodes.len()
    }

    pub(super) fn has_root(&self) -> bool {
        !self.tree.nodes.is_empty()
    }

    /// Whether the innermost open node has a child.
    pub(super) fn has_child(&self) -> bool {
        self.open.last().is_some_and(|node| node.position() + 1 != self.tree.nodes.len())
    }

    /// Begins a node inside of the innermost open one.
    pub(super) fn begin(&mut self, name: &'a str) {
        let index = NodeIndex(self.tree.nodes.len() as u32);
        let first = self.tree.properties.len() as u32;
        self.tree.nodes.push(Node {
            name,
            parent: self.open.last().copied(),
            properties: (first, first),
            end: index.0 + 1,
            compatible: &[],
            is_available: true,
            cells: [None, None],
        });
        self.open.push(index);
        self.seen = Seen::default();
    }

    /// Gives the last node a property.
    pub(super) fn property(&mut self, name: &'a str, value: &'a [u8]) {
        let Self { tree, seen, .. } = self;
        let node = NodeIndex(tree.nodes.len() as u32 - 1);
        let record = &mut tree.nodes[node.position()];
        let property = Property { name, value };
        let phandle = seen.phandle;
        if let Some(property) = record.note(&property, seen) {
            tree.malformed.push(Malformed { node, property });
        }
        record.properties.1 += 1;
        if seen.phandle != phandle {
            tree.phandles.push((seen.phandle, node));
        }
        tree.properties.push(property);
    }

    /// Ends the innermost open node, if there is one.
    pub(super) fn end(&mut self) -> bool {
        let end = self.tree.nodes.len() as u32;
        let node = self.open.pop();
        if let Some(node) = node {
            self.tree.nodes[node.position()].end = end;
        }
        node.is_some()
    }

    /// Path of the innermost open node.
    pub(super) fn path(&self) -> String {
        self.open.last().map_or_else(|| String::from("/"), |node| self.tree.path(*node))
    }

    /// The tree, with a root if there was none; nodes that are open end here.
    pub(super) fn finish(mut self, reservations: Vec<(u64, u64)>) -> Tree<'a> {
        if !self.has_root() {
            self.begin("");
        }
        while self.end() {}
        self.tree.phandles.sort_unstable();
        self.tree.reservations = reservations;
        self.tree
    }
}

#[derive(Clone, Copy)]
struct Property<'a> {
    name: &'a str,
    value: &'a [u8],
}

impl<'a> Tree<'a> {
    /// Properties of all nodes whose value does not fit their name, in the order of the blob.
    pub(super) fn malformed(&self) -> &[Malformed] {
        &self.malformed
    }

    /// The node's own `#address-cells` and `#size-cells`, as far as they can be read.
    pub(super) fn own_cells(&self, node: NodeIndex) -> [Option<u32>; 2] {
        self.nodes[node.position()].cells
    }

    /// Memory reservations: address and length.
    pub(super) fn reservations(&self) -> &[(u64, u64)] {
        &self.reservations
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes in the order of the blob.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.nodes.len() as u32).map(NodeIndex)
    }

    /// The node's children in the order of the blob.
    pub(super) fn children(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        let end = self.nodes[node.position()].end;
        let mut next = node.0 + 1;
        core::iter::from_fn(move || {
            let child = (next < end).then_some(NodeIndex(next))?;
            next = self.nodes[child.position()].end;
            Some(child)
        })
    }

    /// The node around this one; the root has none.
    pub(super) fn parent(&self, node: NodeIndex) -> Option<NodeIndex> {
        self.nodes[node.position()].parent
    }

    /// The node's name with its unit address; empty for the root.
    pub(super) fn name(&self, node: NodeIndex) -> &'a str {
        self.nodes[node.position()].name
    }

    /// The node's name without its unit address.
    pub(super) fn base_name(&self, node: NodeIndex) -> &'a str {
        let name = self.name(node);
        name.split_once('@').map_or(name, |(base, _)| base)
    }

    /// The node's full path.
    pub(super) fn path(&self, node: NodeIndex) -> String {
        path_of(node, &|node| (self.name(node), self.parent(node)))
    }

    /// Value of the property `name`; the first, if there are several.
    pub(super) fn property(&self, node: NodeIndex, name: &str) -> Option<&'a [u8]> {
        let (first, end) = self.nodes[node.position()].properties;
        let properties = &self.properties[first as usize..end as usize];
        properties.iter().find(|property| property.name == name).map(|property| property.value)
    }

    /// The first cell of a property's value, if it has one (Linux: `of_property_read_u32`).
    pub(super) fn number(&self, node: NodeIndex, name: &str) -> Option<u32> {
        self.property(node, name).and_then(first_cell)
    }

    /// A property's value as text, up to its first NUL, which must be there (Linux: `fdt_stringlist_get`,
    /// `__of_device_is_status`).
    pub(super) fn text(&self, node: NodeIndex, name: &str) -> Option<&'a str> {
        core::str::from_utf8(c_string(self.property(node, name)?)?).ok()
    }

    /// The strings of `compatible`, most specific first; those that are not UTF-8 are left out.
    pub(super) fn compatible(&self, node: NodeIndex) -> impl Iterator<Item = &'a str> + use<'a> {
        strings(self.nodes[node.position()].compatible)
    }

    /// The value of `compatible`; empty if there is none.
    pub(super) fn compatible_value(&self, node: NodeIndex) -> &'a [u8] {
        self.nodes[node.position()].compatible
    }

    /// Whether one of the node's `compatible` strings is one of `names`.
    ///
    /// Letters' case does not count, as in Linux's `of_compat_cmp`.
    pub(super) fn is_compatible(&self, node: NodeIndex, names: &[&str]) -> bool {
        let mut texts = self.nodes[node.position()].compatible.split(|byte| *byte == 0);
        texts.any(|text| names.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes())))
    }

    /// Whether the node may be used, by its own `status`.
    pub(super) fn is_available(&self, node: NodeIndex) -> bool {
        self.nodes[node.position()].is_available
    }

    /// Whether the node and all nodes around it may be used.
    pub(super) fn is_live(&self, node: NodeIndex) -> bool {
        self.ancestry(node).all(|node| self.is_available(node))
    }

    /// The node, its parent, and so on to the root.
    pub(super) fn ancestry(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        core::iter::successors(Some(node), |node| self.parent(*node))
    }

    /// The node with this phandle; the first, if there are several.
    pub(super) fn by_phandle(&self, phandle: u32) -> Option<NodeIndex> {
        let first = self.phandles.partition_point(|(known, _)| *known < phandle);
        self.phandles.get(first).filter(|(known, _)| *known == phandle).map(|(_, node)| *node)
    }

    /// Every phandle with the first node that has it, ascending.
    pub(super) fn phandles(&self) -> impl Iterator<Item = (u32, NodeIndex)> {
        let firsts = self.phandles.chunk_by(|one, next| one.0 == next.0);
        firsts.filter_map(|same| same.first().copied())
    }

    /// Phandles that more than one node has, with the first two of these nodes.
    pub(super) fn shared_phandles(&self) -> impl Iterator<Item = (u32, NodeIndex, NodeIndex)> {
        let pairs = self.phandles.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        pairs.map(|pair| (pair[0].0, pair[0].1, pair[1].1))
    }

    /// The first child that has this name.
    #[inline(never)]
    fn child(
        &self,
        node: NodeIndex,
        name: &str,
        name_of: fn(&Self, NodeIndex) -> &'a str,
    ) -> Option<NodeIndex> {
        self.children(node).find(|child| name_of(self, *child) == name)
    }

    /// The node at `path`, which begins with a slash.
    ///
    /// A name without a unit address also finds the first node that has one (section 2.2.3).
    pub(super) fn by_path(&self, path: &str) -> Option<NodeIndex> {
        let path = path.strip_prefix('/')?;
        let mut node = NodeIndex::ROOT;
        for name in path.split('/') {
            if !name.is_empty() {
                node =
                    self.child(node, name, Self::name).or_else(|| self.child(node, name, Self::base_name))?;
            }
        }
        Some(node)
    }
}

/// The strings of a list; those that are empty or not UTF-8 are left out.
pub(super) fn strings(list: &[u8]) -> impl Iterator<Item = &str> {
    let texts = list.split(|byte| *byte == 0).filter_map(|text| core::str::from_utf8(text).ok());
    texts.filter(|text| !text.is_empty())
}

/// The first cell of a value.
fn first_cell(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|cell| u32::from_be_bytes(*cell))
}

/// What stands before the first NUL; none without one.
fn c_string(value: &[u8]) -> Option<&[u8]> {
    value.iter().position(|byte| *byte == 0).map(|end| &value[..end])
}

/// Full path of a node, from a look-up of name and parent.
pub(super) fn path_of<'n>(
    node: NodeIndex,
    look_up: &dyn Fn(NodeIndex) -> (&'n str, Option<NodeIndex>),
) -> String {
    // The gate bounds the depth of the tree.
    let mut names = Vec::new();
    let mut at = Some(node);
    while let Some(node) = at {
        let (name, parent) = look_up(node);
        if parent.is_some() {
            names.push(name);
        }
        at = parent;
    }
    if names.is_empty() {
        return String::from("/");
    }
    names.iter().rev().fold(String::new(), |path, name| path + "/" + name)
}
