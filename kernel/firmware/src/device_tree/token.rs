//! The structure block as tokens (Devicetree Specification 0.4, section 5.4), every read checked.

use super::error::StructureFault;
use super::header::{Block, word};

/// Values of tokens.
pub(super) mod kind {
    pub(in crate::device_tree) const BEGIN_NODE: u32 = 1;
    pub(in crate::device_tree) const END_NODE: u32 = 2;
    pub(in crate::device_tree) const PROPERTY: u32 = 3;
    pub(in crate::device_tree) const NOP: u32 = 4;
    pub(in crate::device_tree) const END: u32 = 9;
}

/// Longest name of a node or property in bytes; the specification has 31, trees in the field go beyond.
const MAX_NAME: usize = 255;

/// What stands in the structure block; NOPs have been left out.
pub(super) enum Token<'a> {
    Begin { name: &'a str },
    End,
    Property { name: &'a str, value: &'a [u8] },
    Finish,
}

/// A walk over the structure block.
pub(super) struct Tokens<'a> {
    structure: Block<'a>,
    strings: Block<'a>,
    /// Offset in the structure block; always a multiple of 4, and never smaller than before.
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(structure: Block<'a>, strings: Block<'a>) -> Self {
        Self { structure, strings, at: 0 }
    }

    /// Where in the blob the next token stands.
    pub(super) fn offset(&self) -> usize {
        self.structure.offset + self.at
    }

    /// Reads the next token. After an error the walk is over.
    pub(super) fn next(&mut self) -> Result<Token<'a>, StructureFault> {
        while word(self.structure.bytes, self.at) == Some(kind::NOP) {
            self.at += 4;
        }
        match self.word()? {
            kind::BEGIN_NODE => {
                let rest = self.structure.bytes.get(self.at..).unwrap_or_default();
                let name = c_string(rest).ok_or(StructureFault::NameEnd(MAX_NAME))?;
                self.skip(name.len() + 1);
                let name = core::str::from_utf8(name).map_err(|_| StructureFault::Name("a node's name"))?;
                Ok(Token::Begin { name })
            }
            kind::END_NODE => Ok(Token::End),
            kind::PROPERTY => {
                let length = self.word()?;
                let name_offset = self.word()?;
                let rest = self.structure.bytes.get(self.at..).unwrap_or_default();
                let value = rest.get(..length as usize).ok_or(StructureFault::ValueCut(length))?;
                self.skip(value.len());
                let name = self.strings.bytes.get(name_offset as usize..).and_then(c_string);
                let name = name.ok_or(StructureFault::NameOffset(name_offset))?;
                match core::str::from_utf8(name) {
                    Ok(name) if is_name(name) => Ok(Token::Property { name, value }),
                    _ => Err(StructureFault::Name("a property's name")),
                }
            }
            kind::END => Ok(Token::Finish),
            unknown => Err(StructureFault::Token(unknown)),
        }
    }

    fn word(&mut self) -> Result<u32, StructureFault> {
        let word = word(self.structure.bytes, self.at).ok_or(StructureFault::Cut)?;
        self.at += 4;
        Ok(word)
    }

    /// Moves on by `bytes`, which are in the block, and to the next multiple of 4.
    fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).next_multiple_of(4);
    }
}

/// Whether it can be the name of a property, or of a node that is not the root.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte != b'/')
}

/// What stands before the first NUL, which must be within [`MAX_NAME`] bytes.
fn c_string(bytes: &[u8]) -> Option<&[u8]> {
    let window = &bytes[..bytes.len().min(MAX_NAME + 1)];
    let end = window.iter().position(|byte| *byte == 0)?;
    Some(&window[..end])
}
