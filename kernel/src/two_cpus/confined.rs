//! Values that go from CPU to CPU as a whole.

use core::ops::{Deref, DerefMut};

/// A value that only one CPU at a time can reach anything of.
///
/// A core is not `Send`: its drivers share what they know by reference counts that two CPUs must not change at once.
/// They do not if all who share are in here.
pub(super) struct Confined<T>(T);

// SAFETY: Whoever made this has promised that nothing that the value shares with others is used by them meanwhile; so
// all of it is used by the CPU that has the value. Nothing in the kernel depends on which CPU that is, and handing
// the value over makes its writes visible.
unsafe impl<T> Send for Confined<T> {}

impl<T> Confined<T> {
    /// Confines `value`.
    ///
    /// # Safety
    ///
    /// As long as this exists:
    /// - what shares a reference count, a cell or a device with `value` is used by way of this alone;
    /// - a reference in `value` leads to what nobody else uses.
    pub(super) unsafe fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, on the CPU that has it last.
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
