//! Bus numbers that are still free.

/// Numbers from `next` to `end` that no bus has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The next number to give out; beyond `end` if none is left.
    pub(crate) next: u16,
    /// The last number.
    pub(crate) end: u8,
}

impl Gap {
    /// The next number, if one is left.
    pub(crate) fn take(&mut self) -> Option<u8> {
        let number = u8::try_from(self.next).ok().filter(|number| *number <= self.end)?;
        self.next += 1;
        Some(number)
    }

    /// How many numbers are left.
    pub(crate) fn room(self) -> u16 {
        (u16::from(self.end) + 1).saturating_sub(self.next)
    }
}
