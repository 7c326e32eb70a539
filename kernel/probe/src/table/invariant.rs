//! Which of the invariants I1 to I11 is broken, and by what.
//!
//! What breaks one is remembered, the first time, and never forgiven in the same run.

use alloc::string::String;

/// Which invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// Groups follow from topology and firmware alone: one isolation class, one group.
    I1,
    /// At rest no device whose IOMMU is there and healthy is without a group.
    I2,
    /// No device is grouped while a driver is bound to it.
    I3,
    /// No IOMMU translates itself.
    I4,
    /// One device's failure costs no other device its group.
    I5,
    /// All members of a group are attached, to the group's domain, by every endpoint.
    I6,
    /// Groups get the lowest free number.
    I7,
    /// A group's owners are the bound drivers that use its default domain.
    I8,
    /// Only a grouped device has anything at an IOMMU.
    I9,
    /// Groups are exactly what isolation classes and shared endpoints connect, in which there is no order.
    I10,
    /// Nothing refers to, or waits for the readiness of, an IOMMU that is gone or ready.
    I11,
}

/// One invariant, and what broke it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `I1` to `I11`.
    pub id: &'static str,
    /// What broke it; `None` if it held all the time.
    pub broken_by: Option<String>,
}

const NAMES: [&str; 11] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11"];

/// What broke which invariant first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Invariants {
    broken_by: [Option<String>; 11],
}

impl Invariants {
    pub(crate) fn broken(&mut self, id: Id, by: impl FnOnce() -> String) {
        self.broken_by[id as usize].get_or_insert_with(by);
    }

    /// For each invariant whether it is broken.
    pub(crate) fn broken_ones(&self) -> [bool; 11] {
        core::array::from_fn(|i| self.broken_by[i].is_some())
    }

    pub(crate) fn verdicts(&self) -> [Verdict; 11] {
        core::array::from_fn(|i| Verdict { id: NAMES[i], broken_by: self.broken_by[i].clone() })
    }
}
