//! Bus numbers that are still free.

use crate::function::bridge::BusNumbers;

/// Consecutive bus numbers that no bus has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The next number; after `end` if none is left.
    next: u16,
    end: u8,
}

impl Gap {
    /// A single free number.
    pub(crate) const fn new(number: u8) -> Self {
        Self { next: number as u16, end: number }
    }

    /// The numbers of the buses behind a bridge, after the one directly behind it.
    pub(crate) fn below(buses: BusNumbers) -> Self {
        Self { next: u16::from(buses.secondary) + 1, end: buses.subordinate }
    }

    /// Appends `number`; false if it does not follow the last one.
    pub(crate) fn append(&mut self, number: u8) -> bool {
        let follows = self.end.checked_add(1) == Some(number);
        if follows {
            self.end = number;
        }
        follows
    }

    /// Takes the next number; none if none is left.
    pub(crate) fn take(&mut self) -> Option<u8> {
        let number = self.nth(0)?;
        self.next += 1;
        Some(number)
    }

    /// Takes the next `count` numbers, or as many as are left.
    pub(crate) fn skip(&mut self, count: u16) {
        self.next += count.min(self.room());
    }

    /// The free number after `count` others; none if fewer are left.
    pub(crate) fn nth(self, count: usize) -> Option<u8> {
        u8::try_from(usize::from(self.next) + count).ok().filter(|number| *number <= self.end)
    }

    /// How many numbers are left.
    pub(crate) fn room(self) -> u16 {
        (u16::from(self.end) + 1).saturating_sub(self.next)
    }

    /// The last number before the next one.
    pub(crate) fn taken_up_to(self) -> u8 {
        u8::try_from(self.next.saturating_sub(1)).unwrap_or(u8::MAX)
    }

    /// The last number.
    pub(crate) const fn end(self) -> u8 {
        self.end
    }
}
