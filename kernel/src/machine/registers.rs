//! Registers at addresses from firmware: mapped, and checked for a device that answers.

use addr::{PhysAddr, Range};
use boot::guarded::load_u32;
use boot::memory::{self, Kind, MapError};

/// Why registers at an address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistersError {
    /// They cannot be mapped: the address is outside of the CPU's address space, or mapped as
    /// something else.
    #[error("{0}")]
    Unmappable(MapError),
    /// Their first word cannot be read in one piece.
    #[error("{0} is not a multiple of 4")]
    Misaligned(PhysAddr),
    /// No device answers.
    #[error("nothing answers at {0}")]
    Absent(PhysAddr),
}

impl RegistersError {
    /// The stable word for a finding.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Unmappable(_) => "registers-unmappable",
            Self::Misaligned(_) => "registers-misaligned",
            Self::Absent(_) => "registers-absent",
        }
    }
}

/// Maps `range` for good, as device memory, and gives its first word.
///
/// # Errors
///
/// See [`RegistersError`].
///
/// # Safety
///
/// If a device answers there, reading its first word has no effect.
pub(crate) unsafe fn map(range: Range<PhysAddr>) -> Result<u32, RegistersError> {
    memory::map(range, Kind::Device).map_err(RegistersError::Unmappable)?;
    // SAFETY: Handed on to the caller.
    unsafe { first_word(range) }
}

/// The first word of registers that are mapped already.
///
/// # Errors
///
/// [`RegistersError::Misaligned`] and [`RegistersError::Absent`].
///
/// # Safety
///
/// As for [`map`].
pub(crate) unsafe fn first_word(range: Range<PhysAddr>) -> Result<u32, RegistersError> {
    let at = range.start();
    if !at.0.is_multiple_of(4) {
        return Err(RegistersError::Misaligned(at));
    }
    // SAFETY: The address is aligned, and reading it has no effect by the caller's duty.
    unsafe { load_u32(at) }.ok_or(RegistersError::Absent(at))
}
