//! Waiting for another CPU, which may never do what is waited for.

use boot::cpu::relax;

use super::clock;

/// Looks between two looks at the clock, which costs more than they do.
const LOOKS: u32 = 256;

/// A wait with an end.
pub struct SpinDeadline {
    /// What is waited for, in words.
    what: &'static str,
    limit_us: u64,
    /// When the clock was looked at first.
    began_us: Option<u64>,
    looks: u32,
}

impl SpinDeadline {
    /// Waits at most `limit_us` for `what`.
    pub fn new(limit_us: u64, what: &'static str) -> Self {
        Self { what, limit_us, began_us: None, looks: 0 }
    }

    /// Lets a moment pass; false when the time is over.
    pub fn is_open(&mut self) -> bool {
        relax();
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOKS) {
            return true;
        }
        let now = clock::micros();
        now.saturating_sub(*self.began_us.get_or_insert(now)) < self.limit_us
    }

    /// Lets a moment pass.
    ///
    /// # Panics
    ///
    /// The time is over: another CPU hangs, by our own fault.
    pub fn wait(&mut self) {
        assert!(self.is_open(), "waited for {} longer than {} ms", self.what, self.limit_us / 1000);
    }
}
