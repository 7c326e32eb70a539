//! The faults that IOMMUs have reported.

use alloc::vec::Vec;

use kernel::{Handle, Iommus};
use viommu::Fault;

/// A fault, and the IOMMU that reported it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenFault {
    pub(crate) iommu: Handle,
    pub(crate) fault: Fault,
}

/// The faults since the last call.
#[derive(Debug, Default)]
pub(crate) struct SeenFaults {
    pub(crate) faults: Vec<SeenFault>,
    /// Whether an IOMMU may have dropped further ones.
    pub(crate) overflow: bool,
}

impl SeenFaults {
    /// Adds those of a later call.
    pub(crate) fn add(&mut self, later: Self) {
        self.overflow |= later.overflow;
        self.faults.extend(later.faults);
    }

    /// The number of accesses that were blocked.
    pub(crate) fn count(&self) -> u64 {
        self.faults.iter().map(|seen| seen.fault.count).sum()
    }
}

/// Prepares all IOMMUs for the faults of a whole transfer.
pub(crate) fn expect(iommus: &Iommus) {
    for bound in iommus.borrow().iter() {
        bound.iommu.borrow_mut().expect_faults();
    }
}

/// Takes all faults that were reported since the last call.
pub(crate) fn take(iommus: &Iommus) -> SeenFaults {
    let mut seen = SeenFaults::default();
    for bound in iommus.borrow().iter() {
        let polled = bound.iommu.borrow_mut().poll_faults();
        seen.overflow |= polled.overflow;
        seen.faults.extend(polled.faults.into_iter().map(|fault| SeenFault { iommu: bound.device, fault }));
    }
    seen
}
