//! Names of objects in the namespace (ACPI 6.5, section 20.2.2).

use alloc::vec::Vec;
use core::fmt;

/// Four letters, digits or underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment(pub(super) [u8; 4]);

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.iter().rposition(|&byte| byte != b'_').map_or(1, |last| last + 1);
        self.0[..letters].iter().try_for_each(|&byte| write!(f, "{}", char::from(byte)))
    }
}

/// A path in the namespace, as it stands in AML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameString {
    pub(super) from_root: bool,
    pub(super) parents: usize,
    pub(super) segments: Vec<Segment>,
}

impl NameString {
    /// A name of one segment, looked for in the scopes around as well.
    pub(super) fn lone(segment: Segment) -> Self {
        Self { from_root: false, parents: 0, segments: Vec::from([segment]) }
    }
}

impl fmt::Display for NameString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from_root {
            f.write_str("\\")?;
        }
        (0..self.parents).try_for_each(|_| f.write_str("^"))?;
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{segment}")?;
        }
        Ok(())
    }
}
