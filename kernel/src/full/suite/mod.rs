//! Suites: tests of the machine's devices, after the groups have been reported (`suite=`).
//!
//! To add one: a file with a function that returns its [`report::SuiteReport`]s, a variant of [`options::Suite`], and a
//! line in [`run`].

pub(crate) mod options;
mod protocol;
mod raw_iommu;

use alloc::vec::Vec;

use dma::SpaceError;
use kernel::Probing;
use report::{Report, SuiteCase};

use self::options::{Suite, SuiteOptions};
use crate::dma::isolation;
use crate::dma::mutation::Mutation;

/// Runs the suites that `options` select, and adds them to the report; `before_attach` has the results of cases that ran
/// during the boot. Afterwards the machine is in no state to be used.
///
/// # Errors
///
/// The domain of a group cannot be used.
pub(crate) fn run(
    options: &SuiteOptions,
    mutation: Option<Mutation>,
    before_attach: Vec<SuiteCase>,
    probing: &mut Probing,
    report: &mut Report,
) -> Result<(), SpaceError> {
    if options.has_isolation() {
        report.suites.push(isolation::run(probing, mutation, before_attach)?);
    }
    // The last one, because it takes the IOMMUs away from everything else.
    if options.suites.contains(&Suite::Protocol) {
        report.suites.extend(protocol::run(probing, &options.hazards));
    }
    Ok(())
}
