//! Packages of RPM distributions: two headers, which are passed over, and a compressed `cpio` archive (newc).
//!
//! Crates for RPM verify signatures and build packages, which needs many more crates; here, only the files count.

use std::io::Read as _;

use anyhow::{Context, Result, bail, ensure};

use crate::linux::compression;

/// How a package begins: the lead, of 96 bytes.
pub(super) const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];
const LEAD: usize = 96;
/// How the signature and the header begin.
const HEADER: &[u8] = &[0x8e, 0xad, 0xe8, 0x01];
/// Bytes before the index of a header, and bytes of an entry there.
const INTRODUCTION: usize = 16;
const INDEX_ENTRY: usize = 16;

/// Bytes before the name of a `cpio` entry: a magic number and thirteen fields of eight hexadecimal digits.
const CPIO_HEADER: usize = 110;
const CPIO_END: &str = "TRAILER!!!";
/// Bits of a mode that say what a file is, and those of a regular file.
const KIND: usize = 0o170_000;
const REGULAR: usize = 0o100_000;

/// Calls `visit` with the path and the bytes of every regular file.
///
/// # Errors
///
/// The package is malformed.
pub(super) fn for_each_file(package: &[u8], visit: &mut impl FnMut(&str, &[u8])) -> Result<()> {
    let signature_end = end_of_header(package, LEAD)?.next_multiple_of(8);
    let payload = end_of_header(package, signature_end)?;
    let payload = package.get(payload..).context("there is no payload")?;
    let mut archive = Vec::new();
    compression::reader(payload)?.read_to_end(&mut archive).context("the payload is damaged")?;
    for_each_entry(&archive, visit)
}

/// Where the header at `start` ends.
fn end_of_header(package: &[u8], start: usize) -> Result<usize> {
    let header = package.get(start..).and_then(|rest| rest.get(..INTRODUCTION));
    let header = header.with_context(|| format!("it ends in the header at {start:#x}"))?;
    ensure!(header.starts_with(HEADER), "there is no header at {start:#x}");
    let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[at + byte])) as usize;
    let (entries, bytes) = (number(8), number(12));
    let size = entries.checked_mul(INDEX_ENTRY).and_then(|index| index.checked_add(bytes + INTRODUCTION));
    size.and_then(|size| start.checked_add(size)).context("the header is too long")
}

fn for_each_entry(archive: &[u8], visit: &mut impl FnMut(&str, &[u8])) -> Result<()> {
    let mut at = 0;
    loop {
        let header =
            archive.get(at..at + CPIO_HEADER).with_context(|| format!("the archive ends at {at:#x}"))?;
        ensure!(header.starts_with(b"070701") || header.starts_with(b"070702"), "no cpio entry at {at:#x}");
        let field = |number: usize| -> Result<usize> {
            let digits = std::str::from_utf8(&header[6 + 8 * number..][..8])?;
            Ok(usize::from_str_radix(digits, 16)?)
        };
        let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
        let name = archive.get(at + CPIO_HEADER..at + CPIO_HEADER + name_size);
        let name = name.and_then(|name| name.strip_suffix(b"\0"));
        let Some(name) = name else { bail!("the name at {at:#x} has no end") };
        let name = String::from_utf8_lossy(name);
        if name == CPIO_END {
            return Ok(());
        }
        let start = (at + CPIO_HEADER + name_size).next_multiple_of(4);
        let bytes =
            archive.get(start..start + size).with_context(|| format!("{name} ends behind the archive"))?;
        if mode & KIND == REGULAR {
            visit(&name, bytes);
        }
        at = (start + size).next_multiple_of(4);
    }
}
