//! Deadlines for waits for another CPU.

use boot::cpu::relax;

use super::clock;

/// Number of polls between two reads of the clock, which are more expensive.
const LOOKS: u32 = 256;

/// A wait with a deadline.
pub struct SpinDeadline {
    /// What is waited for, in words.
    what: &'static str,
    limit_us: u64,
    /// Time of the first read of the clock.
    began_us: Option<u64>,
    looks: u32,
}

impl SpinDeadline {
    /// Waits at most `limit_us` for `what`.
    pub fn new(limit_us: u64, what: &'static str) -> Self {
        Self { what, limit_us, began_us: None, looks: 0 }
    }

    /// Relaxes the CPU; false if the deadline has passed.
    pub fn is_open(&mut self) -> bool {
        relax();
        self.looks += 1;
        if !self.looks.is_multiple_of(LOOKS) {
            return true;
        }
        let now = clock::micros();
        now.saturating_sub(*self.began_us.get_or_insert(now)) < self.limit_us
    }

    /// Relaxes the CPU.
    ///
    /// # Panics
    ///
    /// The deadline has passed: another CPU hangs because of a defect in the kernel.
    pub fn wait(&mut self) {
        assert!(self.is_open(), "waited for {} longer than {} ms", self.what, self.limit_us / 1000);
    }
}
