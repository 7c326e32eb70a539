//! An IOMMU's answer to a probe: the device is accepted or refused.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use addr::EndpointId;

use crate::data::id::GroupId;
use crate::data::reserved::ReservedRegion;

/// The rule of the instance that a request violated. The names follow virtio 1.2, section 5.13.6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalCause {
    /// The instance does not know the endpoint (or the domain).
    NoEntry,
    /// The request is invalid.
    Invalid,
    /// A value is out of the instance's range.
    Range,
    /// The instance does not support this.
    Unsupported,
    /// The instance is out of resources.
    NoMemory,
    /// The instance could not read or write the request, or failed in another way.
    Io,
    /// The instance did not answer in time; it gets no further requests.
    Dead,
}

impl fmt::Display for RefusalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "NOENT",
            Self::Invalid => "INVAL",
            Self::Range => "RANGE",
            Self::Unsupported => "UNSUPP",
            Self::NoMemory => "NOMEM",
            Self::Io => "IOERR",
            Self::Dead => "no answer",
        })
    }
}

/// A refusal by an IOMMU.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The violated rule, in a form that can be compared.
    pub cause: RefusalCause,
    /// The endpoint, if the request had one.
    pub endpoint: Option<EndpointId>,
    /// The request and its answer as text: `PROBE of endpoint 0x208: NOENT`.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// An instance's answer for a device that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The endpoints that it knows; never empty.
    pub endpoints: Vec<EndpointId>,
    /// The endpoints in firmware's description that the instance does not know, with its refusals.
    pub refused: Vec<Refusal>,
    /// The device's reserved regions, of all its endpoints, in the order reported.
    pub reserved: Vec<ReservedRegion>,
    /// Harmless deviations in the instance's answers, for example a malformed property.
    pub remarks: Vec<String>,
}

/// Why a device that firmware puts behind an IOMMU cannot join a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JoinError {
    /// Its IOMMUs have different drivers, which cannot share a default domain.
    MixedDrivers {
        /// The driver of the first IOMMU.
        first: &'static str,
        /// The first other driver.
        other: &'static str,
    },
    /// It would make one group of these two, and one of them is claimed.
    Claimed {
        /// One group.
        first: GroupId,
        /// The other group.
        other: GroupId,
    },
    /// An IOMMU refuses it.
    Refused(Refusal),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MixedDrivers { first, other } => {
                write!(f, "its IOMMUs have different drivers: {first} and {other}")
            }
            Self::Claimed { first, other } => {
                write!(f, "groups {first} and {other} would become one group, and one of them is claimed")
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}
