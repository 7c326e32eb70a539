//! The header of a device tree blob: where its blocks are (Devicetree Specification 0.4, section 5.2).

use super::error::DeviceTreeError;
use super::spec::{HEADER_SIZE, MAGIC, MAX_TOTAL_SIZE, RESERVATION_SIZE, VERSION, field};

/// The big-endian word at `offset`, if all of it is in `bytes`. Not inlined: an emulator translates one copy only.
#[inline(never)]
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let end = offset.checked_add(4)?;
    let word = bytes.get(offset..end)?;
    word.try_into().ok().map(u32::from_be_bytes)
}

/// Length of the whole blob in bytes, from its first bytes.
///
/// `header` may be longer than needed; 40 bytes are enough. The answer is at most 2 MiB.
///
/// # Errors
///
/// The bytes are not a header of a device tree, or contain an impossible length.
pub fn total_size(header: &[u8]) -> Result<usize, DeviceTreeError> {
    let fields = header
        .get(..HEADER_SIZE)
        .and_then(|header| Some((word(header, field::MAGIC)?, word(header, field::TOTAL_SIZE)?)));
    let Some((magic, total_size)) = fields else {
        return Err(DeviceTreeError::HeaderCut { given: header.len() });
    };
    if magic != MAGIC {
        return Err(DeviceTreeError::Magic { found: magic });
    }
    match usize::try_from(total_size) {
        Ok(size) if (HEADER_SIZE..=MAX_TOTAL_SIZE).contains(&size) => Ok(size),
        _ => Err(DeviceTreeError::TotalSize { total_size }),
    }
}

/// The blocks of a blob, each with where it begins.
pub(super) struct Blocks<'a> {
    /// From the first reservation to the end of the blob: the block has no length of its own.
    pub(super) reservations: Block<'a>,
    /// Tokens.
    pub(super) structure: Block<'a>,
    /// Names of properties.
    pub(super) strings: Block<'a>,
}

/// Bytes and their offset in the blob.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) offset: usize,
}

/// How to meet a block that leaves the blob.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is an error.
    Strict,
    /// Take what there is of it.
    Salvage,
}

impl<'a> Blocks<'a> {
    /// Finds the blocks of `blob`; each lies in it as a whole, or as far as it goes in [`Mode::Salvage`].
    pub(super) fn find(blob: &'a [u8], mode: Mode) -> Result<Self, DeviceTreeError> {
        let salvage = mode == Mode::Salvage;
        let total_size = match total_size(blob) {
            Ok(size) => size,
            Err(DeviceTreeError::TotalSize { .. }) if salvage => blob.len().min(MAX_TOTAL_SIZE),
            Err(error) => return Err(error),
        };
        if total_size > blob.len() && !salvage {
            return Err(DeviceTreeError::Truncated { total_size, given: blob.len() });
        }
        let blob = &blob[..total_size.min(blob.len())];
        let field = |at| word(blob, at).ok_or(DeviceTreeError::HeaderCut { given: blob.len() });

        let (version, last_compatible) = (field(field::VERSION)?, field(field::LAST_COMPATIBLE)?);
        if (version < VERSION || last_compatible > VERSION) && !salvage {
            return Err(DeviceTreeError::Version { version, last_compatible });
        }
        let block = |name, at, size: u32| {
            let offset = field(at)?;
            let start = (offset as usize).max(HEADER_SIZE);
            let end = start.checked_add(size as usize);
            let fits = end.filter(|_| offset as usize >= HEADER_SIZE).and_then(|end| blob.get(start..end));
            let bytes = match fits {
                Some(bytes) => bytes,
                None if salvage => blob.get(start..).unwrap_or_default(),
                None => {
                    let limit = blob.len();
                    return Err(DeviceTreeError::Block { block: name, field: at, offset, size, limit });
                }
            };
            Ok(Block { bytes, offset: start })
        };
        let structure = block("structure", field::STRUCTURE, field(field::STRUCTURE_SIZE)?)?;
        let strings = block("strings", field::STRINGS, field(field::STRINGS_SIZE)?)?;
        let reservations = block("memory reservation", field::RESERVATIONS, RESERVATION_SIZE as u32)?;
        let reservations = Block { bytes: &blob[reservations.offset.min(blob.len())..], ..reservations };
        Ok(Self { reservations, structure, strings })
    }
}
