//! Ways in which the model breaks the specification, one at a time.

use super::GRANULE;
use super::domains::Interval;

macro_rules! mutations {
    ($($name:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mutation { $($name),* }

        impl Mutation {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mutations! {
    // Configuration and start.
    NoPageSize, InputRangeInverted, DomainRangeInverted, PresentsOtherBypass, OffersNoMapUnmap, OffersOldBypass,
    EventAtStart, EventForRequest, ConfigurationChanges, RefusesFewFeatures, RecoversLate, ThirdResetBreaks,
    ResetKeepsMappings, ResetKeepsBypassDomains, ResetSetsBypass, ResetClearsBypass, FeatureChangesBypass,
    BypassStuckAt0, BypassStuckAt1, BypassTakesAll, BypassWithoutFeature, BypassWrittenOnce, BypassDetaches,
    // Heads, tails, buffers.
    HeadCheckedAttach, HeadCheckedDetach, HeadCheckedMap, HeadCheckedUnmap, HeadCheckedProbe,
    TailFilledAttach, TailFilledDetach, TailFilledMap, TailFilledUnmap, TailFilledProbe, TailFilledRejected,
    UsedShortProbe, UsedShortRejected, UsedLongAttach, UsedLongDetach, UsedLongMap, UsedLongUnmap,
    WritesBeyondTail, SeesFirstWritable, SeesFirstReadable,
    ShortAttach, ShortDetach, ShortMap, ShortUnmap, ShortProbe, HeadOnlyAttach, HeadOnlyDetach, HeadOnlyMap,
    HeadOnlyUnmap, HeadOnlyProbe, LongerIsLost,
    UnparsedHead, UnparsedNoHead, UnparsedNoTail, UnparsedTail3, UnparsedTail1,
    UnknownTypeUnsupported, UnknownTypeWritten, BatchLosesLast, BatchSwapsAnswers, BatchReversed,
    // Endpoints.
    UnknownExistsAttach, UnknownExistsDetach, UnknownExistsProbe, AllOnesExistsAttach, AllOnesExistsDetach,
    AllOnesExistsProbe, IdCutAttach, IdCutDetach, IdCutProbe,
    // ATTACH.
    CreatesDomainFirst, NoDomain0, NoLastDomain, AttachReservedIgnored, AttachReservedFirstIgnored,
    AttachReservedLastIgnored, AttachFlag1Ignored, AttachFlag15Ignored, AttachFlag31Ignored, NoBypassDomains,
    AttachAgainRejected, AttachAgainDetaches, KindOfBypassIgnored, KindOfTranslatedIgnored, KindOfOwnIgnored,
    SharedFails, SharedBypassFails, SharedForgetsMappings, MoveFails, MoveToBypassFails, MoveKeepsDomain,
    MoveEndsShared, MoveTakesMappings, AttachDoesNothing, AttachOfThirdFails,
    // DETACH.
    DetachReservedChecked, DetachNeverAttachedOdd, DetachFromAnyDomain, DetachOthers, DetachKeepsDomain,
    DetachKeepsMappings, DetachEndsShared,
    // MAP.
    MapReadFails, MapWriteFails, MapMmioFails, MapWriteOnlyOdd, MapNoFlagsOdd, MapMmioWithoutFeatureOdd,
    MapFlag3Ignored, MapFlag16Ignored, MapFlag31Ignored, MapUnknownDomainInvalid, MapBypassAccepted,
    StartUnaligned, EndUnaligned, PhysicalUnaligned, HalfGranule, MapInvertedOdd, MapPhysicalWrapOdd,
    MapSamePhysicalFails, MapFirstFails, MapLastFails, MapWholeFails, MapLargeFails, MapLimit, OneAddressSpace,
    RangeEndIgnored, RangeStartDecides, RangeLastAddressIgnored,
    OverlapSameOnly, OverlapWithOneOnly, OverlapStartOnly, OverlapEndOnly, OverlapSameIgnored, OverlapInsideIgnored,
    OverlapAroundIgnored, OverlapTouching, OverlapEverywhere, OverlapUnmaps, OverlapLastIgnored,
    RegionExactAllowed, RegionStartAllowed, RegionEndAllowed, RegionAroundAllowed, RegionsOnePageLarger,
    RegionsOnePageLonger,
    // UNMAP.
    UnmapReservedOdd, UnmapUnknownDomainOk, UnmapBypassAccepted, UnmapNothingFails, UnmapDoesNothing,
    UnmapRemovesOne, UnmapRemovesNeighbour, UnmapRemovesAll, UnmapExactOnly, UnmapSameStartOnly, UnmapSameEndOnly,
    UnmapInvertedOdd, UnmapLastFails, UnmapRegionFails, UnmapWholeFails,
    SplitOk, SplitRemovesAll, SplitRemovesWhole, SplitRemovesUpToCut, SplitStartIgnored, SplitEndIgnored,
    SplitInPages,
    // PROBE.
    ProbeReservedChecked, ProbeOfOneFails, ProbeForgetsAttached, ProbeChanges, PropertyReserved, PropertyLength,
    ProbeRestFilled, RegionReserved, RegionInverted, RegionSubtype, TwoMsiRegions, RegionsOverlap,
    ProbeFillsSmallRoom, ProbeAcceptsSmallRoom,
}

/// A mutation of one type of request, out of those for all types; `SplitOk` where there is none, which is about no
/// type.
const NONE: Mutation = Mutation::SplitOk;

impl Mutation {
    pub(super) fn head_checked(kind: u8) -> Self {
        use Mutation::*;
        [HeadCheckedAttach, HeadCheckedDetach, HeadCheckedMap, HeadCheckedUnmap, HeadCheckedProbe]
            [usize::from(kind) - 1]
    }

    pub(super) fn tail_filled(kind: u8, status: u8) -> Self {
        use Mutation::*;
        match status {
            0 => [TailFilledAttach, TailFilledDetach, TailFilledMap, TailFilledUnmap, TailFilledProbe]
                [usize::from(kind) - 1],
            _ => TailFilledRejected,
        }
    }

    pub(super) fn used_short(kind: u8, status: u8) -> Self {
        match (kind, status) {
            (5, 0) => Self::UsedShortProbe,
            (1, 6) => Self::UsedShortRejected,
            _ => NONE,
        }
    }

    pub(super) fn used_long(kind: u8, status: u8) -> Self {
        use Mutation::*;
        match (kind, status) {
            (1..=4, 0) => [UsedLongAttach, UsedLongDetach, UsedLongMap, UsedLongUnmap][usize::from(kind) - 1],
            _ => NONE,
        }
    }

    pub(super) fn short_accepted(kind: u8, size: usize) -> Self {
        use Mutation::*;
        let short = [ShortAttach, ShortDetach, ShortMap, ShortUnmap, ShortProbe];
        let head_only = [HeadOnlyAttach, HeadOnlyDetach, HeadOnlyMap, HeadOnlyUnmap, HeadOnlyProbe];
        if size == 4 { head_only[usize::from(kind) - 1] } else { short[usize::from(kind) - 1] }
    }

    pub(super) fn unparsed(readable: usize, writable: usize) -> Self {
        match (readable, writable) {
            (0, _) => Self::UnparsedNoHead,
            (1..4, _) => Self::UnparsedHead,
            (_, 0) => Self::UnparsedNoTail,
            (_, 1) => Self::UnparsedTail1,
            _ => Self::UnparsedTail3,
        }
    }

    pub(super) fn unknown_exists(kind: u8) -> Self {
        Self::of_endpoint_type(
            kind,
            [Self::UnknownExistsAttach, Self::UnknownExistsDetach, Self::UnknownExistsProbe],
        )
    }

    pub(super) fn all_ones_exists(kind: u8) -> Self {
        Self::of_endpoint_type(
            kind,
            [Self::AllOnesExistsAttach, Self::AllOnesExistsDetach, Self::AllOnesExistsProbe],
        )
    }

    pub(super) fn id_cut_to_16_bits(kind: u8) -> Self {
        Self::of_endpoint_type(kind, [Self::IdCutAttach, Self::IdCutDetach, Self::IdCutProbe])
    }

    fn of_endpoint_type(kind: u8, [attach, detach, probe]: [Self; 3]) -> Self {
        match kind {
            1 => attach,
            2 => detach,
            _ => probe,
        }
    }

    /// Flags of ATTACH that the device takes for known.
    pub(super) fn attach_flags_ignored(self) -> u32 {
        match self {
            Self::AttachFlag1Ignored => 1 << 1,
            Self::AttachFlag15Ignored => 1 << 15,
            Self::AttachFlag31Ignored => 1 << 31,
            _ => 0,
        }
    }

    /// Flags of MAP that the device takes for known.
    pub(super) fn map_flags_ignored(self) -> u32 {
        match self {
            Self::MapFlag3Ignored => 1 << 3,
            Self::MapFlag16Ignored => 1 << 16,
            Self::MapFlag31Ignored => 1 << 31,
            _ => 0,
        }
    }

    /// The status of an UNMAP that the device should perform, or about which the specification is silent.
    pub(super) fn odd_unmap(self, (first, last): Interval, is_last: bool, over_region: bool) -> Option<u8> {
        let applies = match self {
            Self::UnmapInvertedOdd => last < first,
            Self::UnmapLastFails => is_last && last - first < GRANULE,
            Self::UnmapWholeFails => is_last && first == 0,
            Self::UnmapRegionFails => over_region && first != 0,
            _ => false,
        };
        applies.then_some(0x66)
    }
}
