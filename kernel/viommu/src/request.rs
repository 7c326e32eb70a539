//! Encoding of requests, and decoding of their answers (virtio 1.2, section 5.13.6).

use alloc::format;
use core::fmt;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{Refusal, RefusalCause};
use zerocopy::IntoBytes;

use crate::death::Death;
use crate::wire::{self, TAIL_SIZE, request_type};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Attach { domain: u32, endpoint: EndpointId, bypass: bool },
    Detach { domain: u32, endpoint: EndpointId },
    Map { domain: u32, iova: Range<Iova>, phys: PhysAddr, flags: u32 },
    Unmap { domain: u32, iova: Range<Iova> },
    Probe { endpoint: EndpointId },
}

impl Request {
    /// Calls `send` with the device-readable part.
    pub(crate) fn with_bytes<A>(&self, send: impl FnOnce(&[u8]) -> A) -> A {
        let head = |kind| wire::Head { kind, reserved: [0; 3] };
        match *self {
            Self::Attach { domain, endpoint, bypass } => send(
                wire::Attach {
                    head: head(request_type::ATTACH),
                    domain: domain.into(),
                    endpoint: endpoint.0.into(),
                    flags: if bypass { wire::ATTACH_FLAG_BYPASS } else { 0 }.into(),
                    reserved: [0; 4],
                }
                .as_bytes(),
            ),
            Self::Detach { domain, endpoint } => send(
                wire::Detach {
                    head: head(request_type::DETACH),
                    domain: domain.into(),
                    endpoint: endpoint.0.into(),
                    reserved: [0; 8],
                }
                .as_bytes(),
            ),
            Self::Map { domain, iova, phys, flags } => send(
                wire::Map {
                    head: head(request_type::MAP),
                    domain: domain.into(),
                    virt_start: iova.start().0.into(),
                    virt_end: iova.end().0.into(),
                    phys_start: phys.0.into(),
                    flags: flags.into(),
                }
                .as_bytes(),
            ),
            Self::Unmap { domain, iova } => send(
                wire::Unmap {
                    head: head(request_type::UNMAP),
                    domain: domain.into(),
                    virt_start: iova.start().0.into(),
                    virt_end: iova.end().0.into(),
                    reserved: [0; 4],
                }
                .as_bytes(),
            ),
            Self::Probe { endpoint } => send(
                wire::Probe {
                    head: head(request_type::PROBE),
                    endpoint: endpoint.0.into(),
                    reserved: [0; 64],
                }
                .as_bytes(),
            ),
        }
    }

    /// The endpoint of the request, if it has one.
    pub(crate) fn endpoint(&self) -> Option<EndpointId> {
        match *self {
            Self::Attach { endpoint, .. } | Self::Detach { endpoint, .. } | Self::Probe { endpoint } => {
                Some(endpoint)
            }
            Self::Map { .. } | Self::Unmap { .. } => None,
        }
    }

    /// The refusal for this request.
    pub(crate) fn refused(&self, failure: Failure) -> Refusal {
        Refusal { cause: failure.cause(), endpoint: self.endpoint(), detail: format!("{self}: {failure}") }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach { domain, endpoint, bypass: false } => {
                write!(f, "ATTACH of endpoint {endpoint} to domain {domain}")
            }
            Self::Attach { domain, endpoint, bypass: true } => {
                write!(f, "ATTACH of endpoint {endpoint} to bypass domain {domain}")
            }
            Self::Detach { domain, endpoint } => {
                write!(f, "DETACH of endpoint {endpoint} from domain {domain}")
            }
            Self::Map { domain, iova, phys, .. } => write!(f, "MAP of {iova} to {phys} in domain {domain}"),
            Self::Unmap { domain, iova } => write!(f, "UNMAP of {iova} in domain {domain}"),
            Self::Probe { endpoint } => write!(f, "PROBE of endpoint {endpoint}"),
        }
    }
}

/// The status of an answer; an integer with names, so that an unknown one can be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const IOERR: Self = Self(1);
    pub(crate) const UNSUPP: Self = Self(2);
    pub(crate) const DEVERR: Self = Self(3);
    pub(crate) const INVAL: Self = Self(4);
    pub(crate) const RANGE: Self = Self(5);
    pub(crate) const NOENT: Self = Self(6);
    pub(crate) const FAULT: Self = Self(7);
    pub(crate) const NOMEM: Self = Self(8);

    /// The standard's name of a known status.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "OK",
            Self::IOERR => "IOERR",
            Self::UNSUPP => "UNSUPP",
            Self::DEVERR => "DEVERR",
            Self::INVAL => "INVAL",
            Self::RANGE => "RANGE",
            Self::NOENT => "NOENT",
            Self::FAULT => "FAULT",
            Self::NOMEM => "NOMEM",
            _ => return None,
        })
    }

    fn cause(self) -> RefusalCause {
        match self {
            Self::UNSUPP => RefusalCause::Unsupported,
            Self::INVAL => RefusalCause::Invalid,
            Self::RANGE => RefusalCause::Range,
            Self::NOENT => RefusalCause::NoEntry,
            Self::NOMEM => RefusalCause::NoMemory,
            // IOERR, DEVERR, FAULT and statuses of later standards: not caused by the request.
            _ => RefusalCause::Io,
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown status {}", self.0),
        }
    }
}

/// Why a request did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The device refused the request and did nothing.
    Refused(Status),
    /// The device returned the request without an answer.
    Empty,
    /// The device wrote less than an answer, or claims to have written more than fits.
    WrongLength { used: u32, expected: usize },
    /// The device is dead.
    Dead(Death),
}

impl Failure {
    pub(crate) fn cause(self) -> RefusalCause {
        match self {
            Self::Refused(status) => status.cause(),
            Self::Empty | Self::WrongLength { .. } => RefusalCause::Io,
            Self::Dead(_) => RefusalCause::Dead,
        }
    }

    /// Whether it is unknown if the device executed the request.
    pub(crate) fn leaves_doubt(self) -> bool {
        match self {
            Self::Refused(status) => status.name().is_none(),
            Self::Empty | Self::WrongLength { .. } => true,
            Self::Dead(_) => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "{status}"),
            Self::Empty => f.write_str("returned without a response (used length 0)"),
            Self::WrongLength { used, expected } => {
                write!(f, "response with used length {used}, expected {expected}")
            }
            Self::Dead(death) => write!(f, "{death}"),
        }
    }
}

/// Decodes an answer of `used` bytes in `answer`.
///
/// A refusal may omit the properties of a PROBE and count only the written bytes, so an answer that
/// is at least a tail long and contains an error is that error. A success must be complete.
pub(crate) fn judge(used: u32, answer: &[u8]) -> Result<(), Failure> {
    let expected = answer.len();
    let status = expected.checked_sub(TAIL_SIZE).and_then(|tail| answer.get(tail)).map(|byte| Status(*byte));
    let wrong_length = Failure::WrongLength { used, expected };
    match (used as usize, status) {
        (0, _) => Err(Failure::Empty),
        (length, Some(Status::OK)) if length == expected => Ok(()),
        (length, Some(status)) if length == expected => Err(Failure::Refused(status)),
        (TAIL_SIZE.., Some(status))
            if (used as usize) < expected && status != Status::OK && status.name().is_some() =>
        {
            Err(Failure::Refused(status))
        }
        _ => Err(wrong_length),
    }
}
