//! Fault records of the event queue (virtio 1.2, section 5.13.6.8), decoded and gathered.

use alloc::vec::{self, Vec};
use core::fmt;

use addr::{EndpointId, Iova};
use zerocopy::FromBytes;

use crate::wire::{FAULT_SIZE, FaultRecord, fault_flag, fault_reason};

/// Why an access was blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultReason {
    /// The device does not give a reason, or gives one that this driver does not know.
    Unknown,
    /// The endpoint is not attached to a domain.
    Domain,
    /// The domain has no mapping for the access.
    Mapping,
}

/// The kind of access, if the device reports it. QEMU 7.2 does not for a missing mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultAccess {
    /// It was a read.
    pub read: bool,
    /// It was a write.
    pub write: bool,
    /// It was an instruction fetch. Linux's header has the flag, the standard does not.
    pub execute: bool,
}

/// Accesses that the device blocked: one, or several of the same kind in one granule.
///
/// QEMU 7.2 reports each four bytes of a transfer on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub reason: FaultReason,
    /// What kind of access.
    pub access: FaultAccess,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The lowest address of them, if the device gave one.
    pub address: Option<Iova>,
    /// The number of accesses: of records that were merged; at least 1.
    pub count: u64,
}

impl fmt::Display for Fault {
    /// As Linux prints it: `page fault from EP 8 at 0x1000 [RWX]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            FaultReason::Unknown => "unknown",
            FaultReason::Domain => "domain",
            FaultReason::Mapping => "page",
        };
        write!(f, "{reason} fault from EP {}", self.endpoint.0)?;
        if let Some(address) = self.address {
            write!(f, " at {address}")?;
        }
        let letter = |set, letter| if set { letter } else { "" };
        let FaultAccess { read, write, execute } = self.access;
        write!(f, " [{}{}{}]", letter(read, "R"), letter(write, "W"), letter(execute, "X"))
    }
}

/// Decodes a record; `None` if its first reserved field is not 0, in which case it must be ignored.
///
/// Unknown flags are ignored, and an unknown reason counts as none: later standards may define
/// them.
pub(crate) fn decode(record: &[u8; FAULT_SIZE]) -> Option<Fault> {
    let record = FaultRecord::read_from_bytes(record).ok()?;
    if record.reserved != [0; 3] {
        return None;
    }
    let flag = |flag| record.flags.get() & flag != 0;
    Some(Fault {
        reason: match record.reason {
            fault_reason::DOMAIN => FaultReason::Domain,
            fault_reason::MAPPING => FaultReason::Mapping,
            _ => FaultReason::Unknown,
        },
        access: FaultAccess {
            read: flag(fault_flag::READ),
            write: flag(fault_flag::WRITE),
            execute: flag(fault_flag::EXEC),
        },
        endpoint: EndpointId(record.endpoint.get()),
        address: flag(fault_flag::ADDRESS).then_some(Iova(record.address.get())),
        count: 1,
    })
}

/// The answer to a poll: what the device reported since the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Faults, in the order in which the first access of each was reported.
    pub faults: Vec<Fault>,
    /// Whether the device was found without a buffer for another record: it may have dropped any number
    /// of them beyond [`count`](Self::count).
    ///
    /// QEMU 7.2 to 11.1 drop them, and only log "no buffer available in event queue".
    pub overflow: bool,
}

impl Faults {
    /// The number of accesses in all faults.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.faults.iter().map(|fault| fault.count).sum()
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Adds a fault; merges it with one of the same kind in the same granule.
    pub(crate) fn add(&mut self, fault: Fault, granule: u64) {
        let place = |fault: &Fault| fault.address.map(|address| address.0 & !(granule - 1));
        let same = |other: &&mut Fault| {
            (other.reason, other.access, other.endpoint) == (fault.reason, fault.access, fault.endpoint)
                && place(other) == place(&fault)
        };
        // Records of one transfer follow each other.
        match self.faults.iter_mut().rfind(same) {
            Some(other) => {
                other.address = other.address.min(fault.address);
                other.count += fault.count;
            }
            None => self.faults.push(fault),
        }
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.faults.into_iter()
    }
}
