//! One boot and its result.

use std::time::Duration;

use super::verdict::Verdict;

/// One boot with damage.
pub(super) struct DamagedBoot {
    pub(super) number: u64,
    pub(super) machine: String,
    pub(super) how: Vec<String>,
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
}
