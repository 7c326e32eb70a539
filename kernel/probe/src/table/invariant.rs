//! Violations of the invariants I1 to I11. The first violation of each is recorded and stays for the whole run.

use alloc::string::String;

/// An invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// Groups follow from topology and firmware alone: one isolation class, one group.
    I1,
    /// At rest, every device with a working IOMMU has a group.
    I2,
    /// No device is grouped while a driver is bound to it.
    I3,
    /// No IOMMU translates itself.
    I4,
    /// A failure of one device does not remove another device from its group.
    I5,
    /// All members of a group are attached, to the group's domain, by every endpoint.
    I6,
    /// Groups get the lowest free number.
    I7,
    /// A group's owners are the bound drivers that use its default domain.
    I8,
    /// Only grouped devices have endpoints at an IOMMU.
    I9,
    /// Groups are exactly the sets that isolation classes and shared endpoints connect, independent of any order.
    I10,
    /// No device refers to an IOMMU that was removed, or waits for one that is ready.
    I11,
}

/// One invariant and its first violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `I1` to `I11`.
    pub id: &'static str,
    /// The first violation; `None` if there was none.
    pub broken_by: Option<String>,
}

const NAMES: [&str; 11] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11"];

/// The first violation of each invariant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Invariants {
    broken_by: [Option<String>; 11],
}

impl Invariants {
    pub(crate) fn broken(&mut self, id: Id, by: impl FnOnce() -> String) {
        self.broken_by[id as usize].get_or_insert_with(by);
    }

    /// For each invariant whether it was violated.
    pub(crate) fn broken_ones(&self) -> [bool; 11] {
        core::array::from_fn(|i| self.broken_by[i].is_some())
    }

    pub(crate) fn verdicts(&self) -> [Verdict; 11] {
        core::array::from_fn(|i| Verdict { id: NAMES[i], broken_by: self.broken_by[i].clone() })
    }
}
