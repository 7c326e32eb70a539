//! The gate: makes of any bytes a tree that can be read without a panic, or an error.
//!
//! Tokens are checked one by one, and the tree is noted in the same pass, without a copy of the blob: one root,
//! balanced, not too deep, every name and value inside its block, and properties before children. What a property's
//! value means is not checked here: a bad value costs its readers, not the tree.
//!
//! The `fdt` crate trusts its input: 0.1.5 indexes, asserts and expects. It reads the memory reservations, once they are
//! known to end. Padding behind the blocks (QEMU pads its blob to 1 MiB) is not read.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use fdt::Fdt;

use super::error::{DeviceTreeError, StructureFault};
use super::header::{Blocks, Mode};
use super::spec::RESERVATION_SIZE;
use super::token::{Token, Tokens, is_name};
use super::tree::{Builder, Tree};

/// Deepest nesting of nodes.
const MAX_DEPTH: usize = 60;
/// Most nodes of a tree. A `virt` machine with 512 CPUs has some 1,500.
const MAX_NODES: usize = 16_384;
/// Most entries of the memory reservation block.
const MAX_RESERVATIONS: usize = 1_024;

/// Reads the tree of `blob`; in [`Mode::Salvage`] it ends at the first fault, and all open nodes with it.
///
/// # Errors
///
/// `blob` is not a device tree, or violates the rules of its format; the error contains the place.
pub(super) fn read(blob: &[u8], mode: Mode) -> Result<Tree<'_>, DeviceTreeError> {
    let blocks = Blocks::find(blob, mode)?;
    let reservations = reservations(blob, &blocks, mode)?;
    let mut tree = Builder::default();
    match structure(&mut tree, &blocks) {
        Err(error) if mode == Mode::Strict => Err(error),
        _ => Ok(tree.finish(reservations)),
    }
}

/// Memory reservations, each of which is two 64-bit words; zeros end them.
fn reservations(blob: &[u8], blocks: &Blocks, mode: Mode) -> Result<Vec<(u64, u64)>, DeviceTreeError> {
    let block = blocks.reservations;
    let mut entries = block.bytes.chunks_exact(RESERVATION_SIZE).take(MAX_RESERVATIONS);
    let ended = entries.any(|entry| entry.iter().all(|byte| *byte == 0));
    let mut reservations = Vec::new();
    match Fdt::new(blob) {
        Ok(fdt) if ended => {
            for entry in fdt.memory_reservations() {
                if entry.size() != 0 {
                    reservations.push((entry.address() as u64, entry.size() as u64));
                }
            }
            Ok(reservations)
        }
        _ if mode == Mode::Salvage => Ok(reservations),
        _ => Err(DeviceTreeError::Structure {
            offset: block.offset,
            node: "/".to_owned(),
            fault: StructureFault::Reservations(MAX_RESERVATIONS),
        }),
    }
}

/// Reads the tokens up to the end of the tree.
fn structure<'a>(tree: &mut Builder<'a>, blocks: &Blocks<'a>) -> Result<(), DeviceTreeError> {
    let mut tokens = Tokens::new(blocks.structure, blocks.strings);
    // Every token takes at least four bytes: the walk ends with the block.
    loop {
        let offset = tokens.offset();
        match tokens.next().and_then(|token| take(tree, token)) {
            Ok(AfterToken::Done) => return Ok(()),
            Ok(AfterToken::Further) => {}
            Err(fault) => return Err(DeviceTreeError::Structure { offset, node: tree.path(), fault }),
        }
    }
}

/// Takes one token.
fn take<'a>(tree: &mut Builder<'a>, token: Token<'a>) -> Result<AfterToken, StructureFault> {
    match token {
        Token::Begin { name } => {
            let is_root = tree.depth() == 0;
            if is_root && tree.has_root() {
                return Err(StructureFault::Unbalanced("a second root node begins"));
            }
            if tree.depth() > MAX_DEPTH {
                return Err(StructureFault::Depth(MAX_DEPTH));
            }
            if tree.len() >= MAX_NODES {
                return Err(StructureFault::Nodes(MAX_NODES));
            }
            if !is_root && !is_name(name) {
                return Err(StructureFault::Name("a node's name"));
            }
            // The root's name is empty by the specification; what old tools wrote is dropped.
            tree.begin(if is_root { "" } else { name });
        }
        Token::End => {
            if !tree.end() {
                return Err(StructureFault::Unbalanced("a node ends that never began"));
            }
        }
        Token::Property { name, value } => {
            if tree.depth() == 0 {
                return Err(StructureFault::PropertyOutside);
            }
            if tree.has_child() {
                return Err(StructureFault::PropertyAfterChild(name.to_owned()));
            }
            tree.property(name, value);
        }
        Token::Finish if tree.depth() > 0 => {
            return Err(StructureFault::Unbalanced("the tree ends while nodes are open"));
        }
        Token::Finish if !tree.has_root() => {
            return Err(StructureFault::Unbalanced("the tree has no root node"));
        }
        Token::Finish => return Ok(AfterToken::Done),
    }
    Ok(AfterToken::Further)
}

enum AfterToken {
    Further,
    Done,
}
