//! The gate: makes of any bytes a blob that the `fdt` crate can walk without a panic, or an error.
//!
//! `fdt` 0.1.5 trusts its input: it indexes, asserts and expects. So the blob is rebuilt from tokens
//! that were checked one by one, and the crate sees only the copy: no NOPs, one root, balanced, not too
//! deep, every name and value inside its block, and properties before children. What a property's value
//! means is not checked here: a bad value costs its readers, not the tree.
//!
//! Padding behind the blocks (QEMU pads its blob to 1 MiB) is neither read nor copied.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::{DeviceTreeError, StructureFault};
use super::header::{Blocks, Mode};
use super::spec::{HEADER_SIZE, LAST_COMPATIBLE_VERSION, MAGIC, RESERVATION_SIZE, VERSION};
use super::token::{Token, Tokens, kind};

/// Deepest nesting of nodes; the `fdt` crate's own walk has room for 63.
pub(super) const MAX_DEPTH: usize = 60;
/// Most nodes of a tree. A `virt` machine with 512 CPUs has some 1,500.
pub(super) const MAX_NODES: usize = 16_384;
/// Most entries of the memory reservation block.
pub(super) const MAX_RESERVATIONS: usize = 1_024;

/// Rebuilds `blob` as one that is safe to walk.
///
/// # Errors
///
/// `blob` is no device tree, or one that breaks the rules of its format; the error says where.
pub fn normalise(blob: &[u8]) -> Result<Vec<u8>, DeviceTreeError> {
    rebuild(blob, Mode::Strict).map(|sound| sound.blob)
}

/// A blob that has passed the gate.
pub(super) struct Sound {
    /// The rebuilt blob.
    pub(super) blob: Vec<u8>,
    /// Depth of each node in the order of the blob; the root has 0.
    pub(super) depths: Vec<u8>,
}

/// As [`normalise`]; in [`Mode::Salvage`] the tree ends at the first fault, and all open nodes with it.
pub(super) fn rebuild(blob: &[u8], mode: Mode) -> Result<Sound, DeviceTreeError> {
    let blocks = Blocks::find(blob, mode)?;
    let sizes = blocks.structure.bytes.len() + blocks.strings.bytes.len();
    let mut copy = Copy {
        blob: Vec::with_capacity(HEADER_SIZE + 2 * RESERVATION_SIZE + sizes + 64),
        depths: Vec::new(),
        open: Vec::new(),
        child_closed: false,
    };
    copy.blob.resize(HEADER_SIZE, 0);
    copy.reservations(&blocks, mode)?;
    let structure = copy.blob.len();
    let outcome = copy.structure(&blocks);
    match (outcome, mode) {
        (Ok(()), _) => {}
        (Err(error), Mode::Strict) => return Err(error),
        (Err(_), Mode::Salvage) => copy.close_all(),
    }
    copy.word(kind::END);
    let strings = copy.blob.len();
    copy.blob.extend_from_slice(blocks.strings.bytes);
    // The crate looks for the end of a name: there is one, even behind a last name that is never used.
    copy.blob.push(0);
    let end = copy.blob.len();
    let header = [
        MAGIC,
        end as u32,
        structure as u32,
        strings as u32,
        HEADER_SIZE as u32,
        VERSION,
        LAST_COMPATIBLE_VERSION,
        blocks.boot_cpu,
        (end - strings) as u32,
        (strings - structure) as u32,
    ];
    for (place, word) in copy.blob.chunks_exact_mut(4).zip(header) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    Ok(Sound { blob: copy.blob, depths: copy.depths })
}

/// The copy in the making.
struct Copy<'a> {
    blob: Vec<u8>,
    depths: Vec<u8>,
    /// Names of the nodes that are open.
    open: Vec<&'a str>,
    /// Whether the innermost open node has a child already.
    child_closed: bool,
}

impl<'a> Copy<'a> {
    #[inline(never)]
    fn word(&mut self, word: u32) {
        self.blob.extend_from_slice(&word.to_be_bytes());
    }

    #[inline(never)]
    fn pad(&mut self) {
        self.blob.resize(self.blob.len().next_multiple_of(4), 0);
    }

    /// Copies the memory reservations, each of which is two 64-bit words, and ends them with zeros.
    fn reservations(&mut self, blocks: &Blocks<'a>, mode: Mode) -> Result<(), DeviceTreeError> {
        let block = blocks.reservations;
        let mut entries = block.bytes.chunks_exact(RESERVATION_SIZE).take(MAX_RESERVATIONS);
        let ended = entries.any(|entry| {
            let (address, size) = entry.split_at(RESERVATION_SIZE / 2);
            let is = |word: &[u8], value| word.iter().all(|byte| *byte == value);
            if !is(size, 0) {
                self.blob.extend_from_slice(entry);
            }
            is(address, 0) && is(size, 0)
        });
        if !ended && mode == Mode::Strict {
            return Err(DeviceTreeError::Structure {
                offset: block.offset,
                node: "/".to_owned(),
                fault: StructureFault::Reservations(MAX_RESERVATIONS),
            });
        }
        self.blob.resize(self.blob.len() + RESERVATION_SIZE, 0);
        Ok(())
    }

    /// Copies the tokens up to the end of the tree.
    fn structure(&mut self, blocks: &Blocks<'a>) -> Result<(), DeviceTreeError> {
        let mut tokens = Tokens::new(blocks.structure, blocks.strings);
        // Every token takes at least four bytes: the walk ends with the block.
        loop {
            let offset = tokens.offset();
            let step = tokens.next().and_then(|token| self.token(token));
            match step {
                Ok(Step::Done) => return Ok(()),
                Ok(Step::Further) => {}
                Err(fault) => return Err(DeviceTreeError::Structure { offset, node: self.path(), fault }),
            }
        }
    }

    /// Takes one token.
    fn token(&mut self, token: Token<'a>) -> Result<Step, StructureFault> {
        match token {
            Token::Begin { name } => {
                let is_root = self.open.is_empty();
                if is_root && !self.depths.is_empty() {
                    return Err(StructureFault::Unbalanced("a second root node begins"));
                }
                if self.open.len() > MAX_DEPTH {
                    return Err(StructureFault::Depth(MAX_DEPTH));
                }
                if self.depths.len() >= MAX_NODES {
                    return Err(StructureFault::Nodes(MAX_NODES));
                }
                if !is_root && (name.is_empty() || name.contains('/')) {
                    return Err(StructureFault::Name("a node's name"));
                }
                // The root's name is empty by the specification; what old tools wrote is dropped.
                let name = if is_root { "" } else { name };
                self.depths.push(self.open.len() as u8);
                self.open.push(name);
                self.child_closed = false;
                self.word(kind::BEGIN_NODE);
                self.blob.extend_from_slice(name.as_bytes());
                self.blob.push(0);
                self.pad();
            }
            Token::End => {
                if self.open.pop().is_none() {
                    return Err(StructureFault::Unbalanced("a node ends that never began"));
                }
                self.child_closed = true;
                self.word(kind::END_NODE);
            }
            Token::Property { name, value, name_offset } => {
                if self.open.is_empty() {
                    return Err(StructureFault::PropertyOutside);
                }
                if self.child_closed {
                    return Err(StructureFault::PropertyAfterChild(name.to_owned()));
                }
                self.word(kind::PROPERTY);
                self.word(value.len() as u32);
                self.word(name_offset);
                self.blob.extend_from_slice(value);
                self.pad();
            }
            Token::Finish if !self.open.is_empty() => {
                return Err(StructureFault::Unbalanced("the tree ends while nodes are open"));
            }
            Token::Finish if self.depths.is_empty() => {
                return Err(StructureFault::Unbalanced("the tree has no root node"));
            }
            Token::Finish => return Ok(Step::Done),
        }
        Ok(Step::Further)
    }

    /// Ends every node that is open, and makes a root if there was none.
    fn close_all(&mut self) {
        if self.depths.is_empty() {
            self.depths.push(0);
            self.open.push("");
            self.word(kind::BEGIN_NODE);
            self.word(0);
        }
        while self.open.pop().is_some() {
            self.word(kind::END_NODE);
        }
    }

    /// Path of the innermost open node.
    fn path(&self) -> String {
        match self.open.get(1..) {
            None | Some([]) => "/".to_owned(),
            Some(names) => names.iter().fold(String::new(), |path, name| path + "/" + name),
        }
    }
}

enum Step {
    Further,
    Done,
}
