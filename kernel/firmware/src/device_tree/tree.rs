//! A view of the whole tree: nodes with parents and properties, found by index, path or phandle.
//!
//! Read once through the `fdt` crate, from a blob that has passed the gate; afterwards every question
//! is a look into a table.

use alloc::string::String;
use alloc::vec::Vec;

use fdt::Fdt;

use super::gate::Sound;

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
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// Of all nodes, node by node.
    properties: Vec<Property<'a>>,
    /// Sorted; of nodes with the same phandle the first in the tree stands first.
    phandles: Vec<(u32, NodeIndex)>,
    reservations: Vec<(u64, u64)>,
}

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
}

#[derive(Clone, Copy)]
struct Property<'a> {
    name: &'a str,
    value: &'a [u8],
}

impl<'a> Tree<'a> {
    /// Reads the tree of a blob that has passed the gate.
    pub(super) fn read(sound: &'a Sound) -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(sound.depths.len()),
            properties: Vec::with_capacity(sound.depths.len() * 6),
            phandles: Vec::new(),
            reservations: Vec::new(),
        };
        let fdt = match Fdt::new(&sound.blob) {
            Ok(fdt) => fdt,
            Err(error) => unreachable!("the gate writes a header that the crate accepts: {error}"),
        };
        let reservations =
            fdt.memory_reservations().map(|entry| (entry.address() as u64, entry.size() as u64));
        tree.reservations.extend(reservations);

        // The way from the root to the node before, itself included.
        let mut open: Vec<NodeIndex> = Vec::new();
        for (node, depth) in fdt.all_nodes().zip(&sound.depths) {
            let index = NodeIndex(tree.nodes.len() as u32);
            tree.close(&mut open, usize::from(*depth));
            let first = tree.properties.len() as u32;
            let properties =
                node.properties().map(|property| Property { name: property.name, value: property.value });
            tree.properties.extend(properties);
            let name = if open.is_empty() { "" } else { node.name };
            let properties = (first, tree.properties.len() as u32);
            let parent = open.last().copied();
            let end = index.0 + 1;
            tree.nodes.push(Node { name, parent, properties, end, compatible: &[], is_available: false });
            let compatible = tree.property(index, "compatible").unwrap_or_default();
            // Linux: `of_device_is_available`.
            let has_status = tree.property(index, "status").is_some();
            let is_available = !has_status || matches!(tree.text(index, "status"), Some("okay" | "ok"));
            let node = &mut tree.nodes[index.position()];
            (node.compatible, node.is_available) = (compatible, is_available);
            open.push(index);
            if let Some(phandle) = tree.own_phandle(index) {
                tree.phandles.push((phandle, index));
            }
        }
        tree.close(&mut open, 0);
        assert_eq!(tree.nodes.len(), sound.depths.len(), "the crate sees every node that passed the gate");
        tree.phandles.sort_unstable();
        tree
    }

    /// Leaves `depth` nodes of `open`; the others end before the next node.
    fn close(&mut self, open: &mut Vec<NodeIndex>, depth: usize) {
        let end = self.nodes.len() as u32;
        for node in open.drain(depth.min(open.len())..) {
            self.nodes[node.position()].end = end;
        }
    }

    /// Linux: `unflatten_dt_nodes` takes the old name too. 0 and all ones are no phandles (section 2.3.3).
    fn own_phandle(&self, node: NodeIndex) -> Option<u32> {
        let phandle = self.number(node, "phandle").or_else(|| self.number(node, "linux,phandle"))?;
        (phandle != 0 && phandle != u32::MAX).then_some(phandle)
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
        path_of(node, |node| (self.name(node), self.parent(node)))
    }

    /// Value of the property `name`; the first, if there are several.
    pub(super) fn property(&self, node: NodeIndex, name: &str) -> Option<&'a [u8]> {
        let (first, end) = self.nodes[node.position()].properties;
        let properties = &self.properties[first as usize..end as usize];
        properties.iter().find(|property| property.name == name).map(|property| property.value)
    }

    /// A property's value as one number, if it is four bytes long.
    pub(super) fn number(&self, node: NodeIndex, name: &str) -> Option<u32> {
        let value = self.property(node, name)?;
        value.try_into().ok().map(u32::from_be_bytes)
    }

    /// A property's value as text, up to its first NUL.
    pub(super) fn text(&self, node: NodeIndex, name: &str) -> Option<&'a str> {
        let value = self.property(node, name)?;
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        core::str::from_utf8(&value[..end]).ok()
    }

    /// The strings of `compatible`, most specific first; those that are not UTF-8 are left out.
    pub(super) fn compatible(&self, node: NodeIndex) -> impl Iterator<Item = &'a str> + use<'a> {
        let texts = self.nodes[node.position()]
            .compatible
            .split(|byte| *byte == 0)
            .filter_map(|text| core::str::from_utf8(text).ok());
        texts.filter(|text| !text.is_empty())
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

    /// Phandles that more than one node has, with the first two of these nodes.
    pub(super) fn shared_phandles(&self) -> impl Iterator<Item = (u32, NodeIndex, NodeIndex)> {
        let pairs = self.phandles.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        pairs.map(|pair| (pair[0].0, pair[0].1, pair[1].1))
    }

    /// The node at `path`, which begins with a slash.
    ///
    /// A name without a unit address also finds the first node that has one (section 2.2.3).
    pub(super) fn by_path(&self, path: &str) -> Option<NodeIndex> {
        let path = path.strip_prefix('/')?;
        path.split('/').filter(|name| !name.is_empty()).try_fold(NodeIndex::ROOT, |node, name| {
            let exact = self.children(node).find(|child| self.name(*child) == name);
            exact.or_else(|| self.children(node).find(|child| self.base_name(*child) == name))
        })
    }
}

/// Full path of a node, from a look-up of name and parent.
pub(super) fn path_of<'n>(
    node: NodeIndex,
    look_up: impl Fn(NodeIndex) -> (&'n str, Option<NodeIndex>),
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
