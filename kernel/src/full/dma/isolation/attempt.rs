//! One access of a device, its result, and the expected one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::Iova;
use kernel::machine::dma_pages::DmaPages;
use viommu::{Fault, FaultReason};

use crate::dma::clients::ClientError;
use crate::dma::devices::DmaDevice;
use crate::dma::engine::EngineError;
use crate::dma::faults::SeenFaults;
use crate::dma::hal::SessionError;
use crate::dma::memory::ShareError;

/// What watched memory contains before a device might change it.
pub(super) const GUARD: u8 = 0x5c;

/// The access that a device is told to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The device writes to memory.
    Write,
    /// The device reads memory.
    Read,
}

/// Why a case did not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaseError {
    /// The device or its memory cannot be used.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// Memory that the device must not reach has changed.
    #[error("byte {offset} of memory that the device must not reach changed to {found:#04x}")]
    Touched {
        /// The first such byte.
        offset: usize,
        /// What it is now.
        found: u8,
    },
    /// The device has read memory that it must not reach.
    #[error("the device read memory that it must not reach")]
    Leaked,
    /// Memory that the device must reach has not changed as it should.
    #[error("byte {offset} is {found:#04x}, the device should have written {expected:#04x}")]
    NotWritten {
        /// The first such byte.
        offset: usize,
        /// What it is.
        found: u8,
        /// What it should be.
        expected: u8,
    },
    /// The device has not read what is in memory.
    #[error("the device did not read what is in memory")]
    NotRead,
    /// No fault was reported.
    #[error("no fault was reported")]
    NoFault,
    /// Faults were lost.
    #[error("the IOMMU ran out of event buffers")]
    FaultsLost,
    /// A fault is not as it should be.
    #[error("{fault}, expected {expected}")]
    WrongFault {
        /// The fault.
        fault: Fault,
        /// What it should be.
        expected: String,
    },
    /// An access that is allowed raised a fault.
    #[error("an access that is allowed raised a fault: {0}")]
    UnexpectedFault(Fault),
    /// The IOMMU refuses what the case needs.
    #[error("{0}")]
    Refused(probe::Refusal),
    /// What is handed out.
    #[error("{0}")]
    Address(String),
}

macro_rules! through_client {
    ($($error:ty),*) => {
        $(impl From<$error> for CaseError {
            fn from(error: $error) -> Self {
                Self::Client(error.into())
            }
        })*
    };
}
through_client!(EngineError, SessionError, ShareError, dma::UnmapError);

/// The fault that an access must raise.
#[derive(Clone, Copy)]
pub(super) struct ExpectedFault<'a> {
    pub(super) device: &'a DmaDevice,
    /// The reasons that are right.
    pub(super) reasons: &'a [FaultReason],
    /// The first address that is not allowed.
    pub(super) address: Iova,
    /// Bytes from there on that the access covers.
    pub(super) bytes: usize,
    pub(super) access: Access,
    /// Whether the access lacks a permission, and not a mapping: the flag is then always there.
    pub(super) is_permission: bool,
}

impl ExpectedFault<'_> {
    /// Checks all faults: at least one, at the right address first, and none of anything else.
    pub(super) fn check(&self, seen: &SeenFaults) -> Result<Fault, CaseError> {
        if seen.overflow {
            return Err(CaseError::FaultsLost);
        }
        let first = seen.faults.first().ok_or(CaseError::NoFault)?.fault;
        let last = self.address.0.saturating_add(self.bytes as u64 - 1);
        let within = |at: Iova| self.address <= at && at.0 <= last;
        for (number, seen) in seen.faults.iter().enumerate() {
            let fault = seen.fault;
            let is_ours = self.device.endpoints.contains(&(seen.iommu, fault.endpoint));
            let is_there = fault.address.is_some_and(within);
            let begins_there = number > 0 || fault.address == Some(self.address);
            if !is_ours
                || !is_there
                || !begins_there
                || !self.reasons.contains(&fault.reason)
                || !self.has_right_flags(fault)
            {
                return Err(CaseError::WrongFault { fault, expected: self.describe() });
            }
        }
        Ok(first)
    }

    /// QEMU reports the kind of access for a missing permission only, the standard leaves it open.
    fn has_right_flags(&self, fault: Fault) -> bool {
        let (read, write) = (self.access == Access::Read, self.access == Access::Write);
        let is = (fault.access.read, fault.access.write);
        is == (read, write) || !self.is_permission && is == (false, false)
    }

    fn describe(&self) -> String {
        let endpoints: Vec<String> =
            self.device.endpoints.iter().map(|(_, endpoint)| format!("{}", endpoint.0)).collect();
        let (reasons, access) = (self.reasons, self.access);
        format!(
            "a fault because of {reasons:?} from EP {} at {} [{access:?}]",
            endpoints.join(" or "),
            self.address
        )
    }
}

/// Fills memory that is to be watched.
pub(super) fn guard(pages: &DmaPages, bytes: usize) {
    pages.write(0, &alloc::vec![GUARD; bytes]);
}

/// Checks that watched memory has not changed from `offset` on.
pub(super) fn check_untouched(pages: &DmaPages, offset: usize, bytes: usize) -> Result<(), CaseError> {
    let mut found = alloc::vec![0; bytes];
    pages.read(offset, &mut found);
    match found.iter().position(|byte| *byte != GUARD) {
        Some(at) => Err(CaseError::Touched { offset: offset + at, found: found[at] }),
        None => Ok(()),
    }
}

/// Checks that a device has written `expected`, or anything if that is not known.
pub(super) fn check_written(
    pages: &DmaPages,
    bytes: usize,
    expected: Option<&[u8]>,
) -> Result<(), CaseError> {
    let mut found = alloc::vec![0; bytes];
    pages.read(0, &mut found);
    match expected {
        Some(expected) => match found.iter().zip(expected).position(|(is, should)| is != should) {
            Some(at) => Err(CaseError::NotWritten { offset: at, found: found[at], expected: expected[at] }),
            None => Ok(()),
        },
        // Random bytes: not all of them stay as they were.
        None if found.iter().all(|byte| *byte == GUARD) => {
            Err(CaseError::NotWritten { offset: 0, found: GUARD, expected: !GUARD })
        }
        None => Ok(()),
    }
}

/// Checks that nothing of watched memory is in what a device read.
pub(super) fn check_not_leaked(read: &[u8]) -> Result<(), CaseError> {
    if read.contains(&GUARD) { Err(CaseError::Leaked) } else { Ok(()) }
}
