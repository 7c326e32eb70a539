//! What an IOMMU answers about a device: accepted, or refused.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use addr::EndpointId;

use crate::data::reserved::ReservedRegion;

/// Which rule of the instance a request broke. The names follow virtio 1.2, section 5.13.6.2.
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
    /// The instance did not answer in time; nothing more will be asked of it.
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

/// An IOMMU said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule, in a form that can be compared.
    pub cause: RefusalCause,
    /// Which endpoint, where one was concerned.
    pub endpoint: Option<EndpointId>,
    /// What was asked and what was answered, for people: `PROBE of endpoint 0x208: NOENT`.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// What an instance says of a device that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The endpoints that it knows; never empty.
    pub endpoints: Vec<EndpointId>,
    /// The endpoints that firmware names and the instance does not know, with its words.
    pub refused: Vec<Refusal>,
    /// The device's reserved regions, of all its endpoints, in the order reported.
    pub reserved: Vec<ReservedRegion>,
    /// What is odd in the instance's answers but costs nothing (a malformed property, say).
    pub remarks: Vec<String>,
}
