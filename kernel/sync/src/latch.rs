//! That something has happened, once.

use crate::atomic::{AtomicBool, Ordering, constructor};

/// A flag that is set once, by any CPU, and never cleared: ready, over.
///
/// What was written before [`set`](Self::set) is visible to who sees that it [is set](Self::is_set).
#[derive(Debug)]
pub struct Latch {
    set: AtomicBool,
}

impl Latch {
    constructor! {
        /// A flag that is not set.
        new: Self { set: AtomicBool::new(false) }
    }

    /// Says that it has happened.
    pub fn set(&self) {
        // Release: all that was written before.
        self.set.store(true, Ordering::Release);
    }

    /// Whether it has happened.
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
