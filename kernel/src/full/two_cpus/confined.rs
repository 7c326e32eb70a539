//! Values that move from CPU to CPU as a whole.

use core::ops::{Deref, DerefMut};

/// A value of which one CPU at a time can reach any part.
///
/// A core is not `Send`: its drivers share data by reference counts that two CPUs must not change
/// at once. They cannot if all sharers are inside this value.
pub(super) struct Confined<T>(T);

// SAFETY: By the duty of the caller of `new`, data that the value shares is not used elsewhere
// meanwhile; so only the CPU that has the value uses it. Nothing in the kernel depends on which CPU
// that is, and handing the value over makes its writes visible.
unsafe impl<T> Send for Confined<T> {}

impl<T> Confined<T> {
    /// Confines `value`.
    ///
    /// # Safety
    ///
    /// As long as this exists:
    /// - data that shares a reference count, a cell or a device with `value` is used only through
    ///   this;
    /// - a reference in `value` leads to data that is not used elsewhere.
    pub(super) unsafe fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value, on the CPU that has it last.
    pub(super) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Confined<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Confined<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
