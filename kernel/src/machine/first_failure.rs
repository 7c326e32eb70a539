//! Which CPU fails first, and so reports it and ends the run.

use super::cpu_owner::{Claim, CpuOwner};
use super::power;

/// The owner of the failure report. A failure during the report does not start another one.
static FAILING: CpuOwner = CpuOwner::new();

/// Whether a failure is being reported.
pub(super) fn is_being_reported() -> bool {
    FAILING.is_claimed()
}

/// Whether this CPU is the first to fail; false if it fails again. On any other CPU, this does not
/// return.
pub(super) fn is_first() -> bool {
    match FAILING.claim() {
        Claim::Ours => true,
        Claim::AlreadyOurs => false,
        Claim::Theirs => power::park(),
    }
}
