//! Which CPU fails first, and so reports it and ends the run.

use super::cpu_owner::{Claim, CpuOwner};
use super::power;

/// The report of a failure. A failure of that does not start again.
static FAILING: CpuOwner = CpuOwner::new();

/// Whether a failure is being reported.
pub(super) fn is_being_reported() -> bool {
    FAILING.is_claimed()
}

/// Whether this CPU is the first that fails; false if it fails again. Another CPU does not get past this.
pub(super) fn is_first() -> bool {
    match FAILING.claim() {
        Claim::Ours => true,
        Claim::AlreadyOurs => false,
        Claim::Theirs => power::park(),
    }
}
