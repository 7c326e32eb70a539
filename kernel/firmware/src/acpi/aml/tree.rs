//! The namespace: named objects in a tree, children in order of definition.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::mem;
use core::num::NonZeroUsize;

use super::cursor::Cursor;
use super::heap::{Handle, Value};
use super::name::{NameString, Segment};

/// Most objects of all tables; a server with 512 processors has about 10,000.
const MAX_NODES: usize = 1 << 16;

/// Most objects in one chain: tables whose names are made to share one would cost a walk of it for each name.
const MAX_CHAIN: usize = 1024;

/// Deepest object, counted from the root.
const MAX_DEPTH: usize = 64;

/// The root of the namespace.
pub(super) const ROOT: usize = 0;

/// Scopes that are always there (ACPI 6.5, section 5.3.1), in the order in which ACPICA makes them.
const SCOPES: [[u8; 4]; 5] = [*b"_GPE", *b"_PR_", *b"_SB_", *b"_SI_", *b"_TZ_"];

/// `\_REV` and `\_OS` as Linux answers, in AML.
const REVISION: [u8; 2] = [0x0a, 2];
const SYSTEM: &[u8] = b"\x0dMicrosoft Windows NT\0";

/// One named object.
pub(super) struct Node<'a> {
    pub(super) name: Segment,
    pub(super) parent: usize,
    pub(super) kind: Kind<'a>,
    /// What was stored to it, or what its data turned out to be.
    pub(super) value: Option<Value>,
    pub(super) children: Vec<usize>,
    pub(super) table: usize,
    pub(super) at: usize,
    depth: usize,
    /// The node before it in its chain.
    before: Option<NonZeroUsize>,
    /// How many nodes there are before it in its chain.
    rank: usize,
}

/// What a name stands for.
pub(super) enum Kind<'a> {
    /// A predefined scope.
    Scope,
    Device,
    /// A processor or a thermal zone: a device to Linux, but no device of AML.
    Container,
    PowerResource,
    Method {
        arguments: usize,
        body: Cursor<'a>,
    },
    /// A data object that begins here.
    Data(Cursor<'a>),
    /// A data object of a method: what it is, is its value.
    Variable,
    /// Bits of a buffer, as a number if it has not too many.
    BufferField {
        buffer: Handle,
        bit: usize,
        bits: usize,
    },
    /// Bits of an operation region, which is not accessed.
    RegionField,
    /// `\_OSI`.
    Osi,
    /// Another name of a node that is itself no alias.
    Alias(usize),
    /// A region, mutex, event.
    Other,
}

/// Why a name cannot be defined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it has no name")]
    Nameless,
    #[error("its parent is not defined")]
    NoParent,
    #[error("the name is already defined, and the first definition is kept")]
    Exists,
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    #[error("there are more than {MAX_NODES} objects")]
    Nodes,
    #[error("there are more than {MAX_CHAIN} objects whose names have the same hash")]
    Chain,
}

/// All named objects.
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// By [`chain_of`] parent and name: the latest node, which leads to those before it.
    chains: Vec<Option<NonZeroUsize>>,
}

/// How many chains of nodes there are, a power of two.
const CHAINS: usize = 1024;

/// The chain of a child, by its parent and name.
fn chain_of(parent: usize, name: Segment) -> usize {
    // Multiplied by 2^32 and the golden ratio, for its upper bits (Linux: `hash_32`).
    let hash = (u32::from_le_bytes(name.0) ^ parent as u32).wrapping_mul(0x9e37_79b9);
    (hash >> (u32::BITS - CHAINS.ilog2())) as usize
}

impl<'a> Tree<'a> {
    /// A namespace with the predefined scopes only.
    pub(super) fn new() -> Self {
        let node = |name, depth| Node {
            name: Segment(name),
            parent: ROOT,
            kind: Kind::Scope,
            value: None,
            children: Vec::new(),
            table: 0,
            at: 0,
            depth,
            before: None,
            rank: 0,
        };
        let mut tree = Self { nodes: Vec::from([node(*b"\\___", 0)]), chains: alloc::vec![None; CHAINS] };
        for name in SCOPES {
            tree.insert(node(name, 1));
        }
        let data = |bytes| Kind::Data(Cursor::new(bytes, 0, 0));
        let others = [
            (*b"_REV", data(&REVISION)),
            (*b"_OS_", data(SYSTEM)),
            (*b"_GL_", Kind::Other),
            (*b"_OSI", Kind::Osi),
        ];
        for (name, kind) in others {
            tree.insert(Node { kind, ..node(name, 1) });
        }
        tree
    }

    fn insert(&mut self, mut node: Node<'a>) -> usize {
        let index = self.nodes.len();
        let chain = &mut self.chains[chain_of(node.parent, node.name)];
        node.before = mem::replace(chain, NonZeroUsize::new(index));
        node.rank = node.before.map_or(0, |before| self.nodes[before.get()].rank + 1);
        let parent = node.parent;
        self.nodes.push(node);
        self.nodes[parent].children.push(index);
        index
    }

    /// The node with an index that came from this tree, and that is not a node of a method.
    pub(super) fn node(&self, index: usize) -> &Node<'a> {
        &self.nodes[index]
    }

    /// A node; `None` if its method has returned.
    pub(super) fn get(&self, index: usize) -> Option<&Node<'a>> {
        self.nodes.get(index)
    }

    /// Number of arguments and body of a method.
    pub(super) fn method(&self, index: usize) -> Option<(usize, Cursor<'a>)> {
        match self.nodes.get(index)?.kind {
            Kind::Method { arguments, body } => Some((arguments, body)),
            _ => None,
        }
    }

    /// Sets the value of a node, if it is still there.
    pub(super) fn set_value(&mut self, index: usize, value: Value) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.value = Some(value);
        }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Drops all nodes from an index on: those of a method that returns.
    pub(super) fn truncate(&mut self, length: usize) {
        while self.nodes.len() > length.max(1) {
            let Some(node) = self.nodes.pop() else { return };
            // Nodes go in the reverse order in which they came, so this one is the latest of its chain, and its
            // parent's last child.
            self.chains[chain_of(node.parent, node.name)] = node.before;
            if let Some(parent) = self.nodes.get_mut(node.parent) {
                parent.children.pop();
            }
        }
    }

    /// The child of that name, or what it is an alias of.
    pub(super) fn child(&self, parent: usize, name: Segment) -> Option<usize> {
        let index = self.own_child(parent, name)?;
        match self.nodes[index].kind {
            Kind::Alias(target) => Some(target),
            _ => Some(index),
        }
    }

    /// The child of that name, which may be an alias.
    fn own_child(&self, parent: usize, name: Segment) -> Option<usize> {
        let mut next = self.chains[chain_of(parent, name)];
        while let Some(index) = next {
            let node = &self.nodes[index.get()];
            if node.parent == parent && node.name == name {
                return Some(index.get());
            }
            next = node.before;
        }
        None
    }

    /// Where a name begins.
    fn base(&self, scope: usize, name: &NameString) -> Option<usize> {
        let mut base = if name.from_root { ROOT } else { scope };
        for _ in 0..name.parents {
            if base == ROOT {
                return None;
            }
            base = self.nodes[base].parent;
        }
        Some(base)
    }

    /// What a name means in a scope: a lone segment is looked for in the scopes around as well (ACPI 6.5,
    /// section 5.3).
    pub(super) fn resolve(&self, scope: usize, name: &NameString) -> Option<usize> {
        let base = self.base(scope, name)?;
        if let ([segment], false, 0) = (name.segments.as_slice(), name.from_root, name.parents) {
            let mut scope = base;
            loop {
                if let Some(found) = self.child(scope, *segment) {
                    return Some(found);
                }
                if scope == ROOT {
                    return None;
                }
                scope = self.nodes[scope].parent;
            }
        }
        name.segments.iter().try_fold(base, |node, &segment| self.child(node, segment))
    }

    /// Defines a name.
    pub(super) fn define(
        &mut self,
        scope: usize,
        name: &NameString,
        kind: Kind<'a>,
        (table, at): (usize, usize),
    ) -> Result<usize, Refusal> {
        let Some((&last, before)) = name.segments.split_last() else {
            return Err(Refusal::Nameless);
        };
        let base = self.base(scope, name).ok_or(Refusal::NoParent)?;
        let parent = before
            .iter()
            .try_fold(base, |node, &segment| self.child(node, segment))
            .ok_or(Refusal::NoParent)?;
        let depth = self.nodes[parent].depth + 1;
        if self.own_child(parent, last).is_some() {
            return Err(Refusal::Exists);
        }
        if depth > MAX_DEPTH {
            return Err(Refusal::Depth);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Refusal::Nodes);
        }
        let latest = self.chains[chain_of(parent, last)];
        if latest.is_some_and(|latest| self.nodes[latest.get()].rank + 1 >= MAX_CHAIN) {
            return Err(Refusal::Chain);
        }
        Ok(self.insert(Node {
            name: last,
            parent,
            kind,
            value: None,
            children: Vec::new(),
            table,
            at,
            depth,
            before: None,
            rank: 0,
        }))
    }

    /// The full path of a node.
    pub(super) fn path(&self, index: usize) -> String {
        let mut segments = Vec::new();
        let mut node = index.min(self.nodes.len() - 1);
        while node != ROOT {
            segments.push(self.nodes[node].name);
            node = self.nodes[node].parent;
        }
        let mut path = String::from("\\");
        for (index, segment) in segments.iter().rev().enumerate() {
            let dot = if index > 0 { "." } else { "" };
            let _ = write!(path, "{dot}{segment}");
        }
        path
    }
}
