//! What a case needs.

/// What a case needs of device and machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Two endpoints.
    TwoEndpoints,
    /// A feature is offered.
    Feature(u64, &'static str),
    /// The granule is larger than a byte.
    Granule,
    /// The input range ends before 2^64 - 1.
    NarrowInputRange,
    /// The first endpoint has a reserved region.
    ReservedRegion,
    /// The first endpoint has no reserved region.
    NoReservedRegion,
}
