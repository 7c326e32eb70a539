//! Status codes (virtio 1.2, section 5.13.6).

use core::fmt;

/// The status in the tail of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const UNSUPP: Self = Self(2);
    pub(crate) const INVAL: Self = Self(4);
    pub(crate) const RANGE: Self = Self(5);
    pub(crate) const NOENT: Self = Self(6);

    const NAMES: [&str; 9] = ["OK", "IOERR", "UNSUPP", "DEVERR", "INVAL", "RANGE", "NOENT", "FAULT", "NOMEM"];

    /// Whether the specification defines it.
    pub(crate) fn is_defined(self) -> bool {
        usize::from(self.0) < Self::NAMES.len()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "status {:#x}", self.0),
        }
    }
}
