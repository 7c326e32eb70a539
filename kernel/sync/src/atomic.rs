//! Atomic types: those of `core`, or those of loom in tests of this crate.

#[cfg(not(test))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
#[cfg(test)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// A constructor that can be called in a static; loom's atomics cannot be made there.
macro_rules! constructor {
    ($(#[$doc:meta])* new: $value:expr) => {
        $(#[$doc])*
        #[cfg(not(test))]
        #[must_use]
        pub const fn new() -> Self {
            $value
        }

        #[cfg(test)]
        pub(crate) fn new() -> Self {
            $value
        }
    };
}

pub(crate) use constructor;
