//! Defects that are put in on purpose, to see that the tests notice them (`mutate=`).

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Devices are not attached to the domain of their group.
    DoNotAttach,
    /// A mapping is one unit longer than the buffer.
    MapTooMuch,
    /// Unmapping leaves the mapping in the IOMMU.
    SkipUnmap,
    /// `VIRTIO_F_ACCESS_PLATFORM` is not accepted.
    LeaveOutAccessPlatform,
    /// Reserved regions are handed out.
    HandOutReserved,
    /// Faults stay in the event queue.
    DoNotDrainFaults,
}

impl Mutation {
    /// All, with their words.
    const ALL: [(&str, Self); 6] = [
        ("do-not-attach", Self::DoNotAttach),
        ("map-too-much", Self::MapTooMuch),
        ("skip-unmap", Self::SkipUnmap),
        ("leave-out-access-platform", Self::LeaveOutAccessPlatform),
        ("hand-out-reserved", Self::HandOutReserved),
        ("do-not-drain-faults", Self::DoNotDrainFaults),
    ];

    /// The defect with this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(own, _)| *own == word).map(|(_, mutation)| mutation)
    }
}
