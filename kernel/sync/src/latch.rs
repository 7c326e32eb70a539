//! A flag for an event that happens once.

use crate::atomic::{AtomicBool, Ordering, constructor};

/// A flag that any CPU sets once and that is never cleared.
///
/// All writes before [`set`](Self::set) are visible to a CPU for which [`is_set`](Self::is_set)
/// returned true.
#[derive(Debug)]
pub struct Latch {
    set: AtomicBool,
}

impl Latch {
    constructor! {
        /// A flag that is not set.
        new: Self { set: AtomicBool::new(false) }
    }

    /// Sets the flag.
    pub fn set(&self) {
        // Release: all that was written before.
        self.set.store(true, Ordering::Release);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        // Acquire: what was written before it was set.
        self.set.load(Ordering::Acquire)
    }
}

#[cfg(not(test))]
impl Default for Latch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
