//! Defects put into the Image on purpose, for boots that must crash, hang, or lose a device half way.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, ensure};
use object::elf::{FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol};
use serde::Deserialize;

use super::{Kernel, flatten};

/// A defect: instructions in place of a function, or before it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    /// Name of the function: that of the ELF's symbol table, or its path in Rust.
    pub(crate) symbol: String,
    /// The instructions.
    pub(crate) words: Vec<u32>,
    /// Whether the function goes on after them. They may use x16 and x17 and the flags.
    #[serde(default)]
    pub(crate) before: bool,
}

impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:", if self.before { "before" } else { "at" }, self.symbol)?;
        self.words.iter().try_for_each(|word| write!(f, " {word:#010x}"))
    }
}

/// The kernel's Image with `patches` in it.
///
/// # Errors
///
/// The ELF has no such symbol, or the Image has no room.
pub(crate) fn patched(kernel: &Kernel, patches: &[Patch]) -> Result<Vec<u8>> {
    let elf = fs::read(&kernel.elf).with_context(|| format!("cannot read {}", kernel.elf.display()))?;
    let mut code = Code { end: code_end(&elf)?, image: flatten(&elf)? };
    let file = object::File::parse(elf.as_slice())?;
    for patch in patches {
        let has_name = |name: &str| {
            name == patch.symbol || format!("{:#}", rustc_demangle::demangle(name)) == patch.symbol
        };
        let symbol = file.symbols().find(|symbol| symbol.name().is_ok_and(has_name));
        let symbol = symbol.with_context(|| format!("the kernel has no symbol {}", patch.symbol))?;
        // The image is linked at 0, so an address is an offset.
        let start = usize::try_from(symbol.address())?;
        let put =
            if patch.before { code.put_before(start, &patch.words) } else { code.put(start, &patch.words) };
        put.with_context(|| format!("cannot patch {}", patch.symbol))?;
    }
    Ok(code.image)
}

/// Where the code in an ELF file ends.
fn code_end(elf: &[u8]) -> Result<usize> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    let code = header
        .program_headers(endian, elf)?
        .iter()
        .find(|segment| segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).0 & PF_X.0 != 0);
    let code = code.context("there is no code")?;
    Ok(usize::try_from(code.p_paddr(endian) + code.p_filesz(endian))?)
}

/// An Image, and where the room behind its code ends.
struct Code {
    image: Vec<u8>,
    end: usize,
}

impl Code {
    fn put(&mut self, at: usize, words: &[u32]) -> Result<()> {
        let place = self.image.get_mut(at..at + 4 * words.len()).context("it is not in the Image")?;
        for (bytes, word) in place.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }

    /// Puts words, and the first instruction at `at`, at the end of the code; and a branch to them there.
    fn put_before(&mut self, at: usize, words: &[u32]) -> Result<()> {
        let first =
            self.image.get(at..).and_then(|rest| rest.first_chunk()).context("it is not in the Image")?;
        let first = u32::from_le_bytes(*first);
        ensure!(!depends_on_its_place(first), "its first instruction, {first:#010x}, cannot be moved");
        // The code is padded to a page.
        let room = self.image[..self.end].iter().rev().take_while(|byte| **byte == 0).count() / 4 * 4;
        let len = 4 * (words.len() + 2);
        ensure!(len <= room, "{len} bytes do not fit the {room} bytes behind the code");
        let place = self.end - len;
        let back = place + len - 4;
        self.put(place, words)?;
        self.put(place + 4 * words.len(), &[first, branch(back, at + 4)])?;
        self.put(at, &[branch(at, place)])?;
        self.end = place;
        Ok(())
    }
}

/// `b`, at an address, to another one.
fn branch(from: usize, to: usize) -> u32 {
    let distance = (to as i64 - from as i64) / 4;
    0x1400_0000 | (distance as u32 & 0x03ff_ffff)
}

/// Whether an instruction has another meaning elsewhere: it adds to the program counter (Arm ARM,
/// C4.1: ADR, branches, and loads of literals).
fn depends_on_its_place(instruction: u32) -> bool {
    [
        (0x1f00_0000, 0x1000_0000),
        (0x7c00_0000, 0x1400_0000),
        (0xff00_0000, 0x5400_0000),
        (0x7c00_0000, 0x3400_0000),
        (0x3b00_0000, 0x1800_0000),
    ]
    .into_iter()
    .any(|(mask, value)| instruction & mask == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_goes_on_after_what_was_put_before_it() {
        let mut image = vec![0; 0x200];
        image[0x40..0x44].copy_from_slice(&0xd101_03ff_u32.to_le_bytes()); // sub sp, sp, #64
        image[0x44..0x48].copy_from_slice(&0xd65f_03c0_u32.to_le_bytes()); // ret
        let mut code = Code { image, end: 0x100 };
        code.put_before(0x40, &[0xd503_201f]).unwrap();
        code.put_before(0x44, &[0xd503_201f, 0xd503_201f]).unwrap();
        let word = |at: usize| u32::from_le_bytes(*code.image[at..].first_chunk().unwrap());
        assert_eq!([0x40, 0xf4, 0xf8, 0xfc].map(word), [0x1400_002d, 0xd503_201f, 0xd101_03ff, 0x17ff_ffd2]);
        assert_eq!([0x44, 0xec, 0xf0].map(word), [0x1400_0028, 0xd65f_03c0, 0x17ff_ffd6]);
        assert!(code.put_before(0x40, &[]).unwrap_err().to_string().contains("cannot be moved"));
    }

    #[test]
    fn a_patch_without_room_is_refused() {
        let mut code = Code { image: vec![1; 0x40], end: 0x40 };
        assert!(code.put_before(0, &[0]).is_err());
        assert!(code.put(0x3e, &[0]).is_err());
    }
}
