//! The suite `isolation`: devices reach what is mapped for them, and nothing else (`suite=isolation`).
//!
//! A refused access is asserted twice: the memory is unchanged, and the IOMMU has reported a fault with the endpoint, the
//! address, the reason and the flags. `attempt`, `bench` and `blind` have the devices and the assertions; the other files
//! are the cases: `before_attach` (while the machine boots), `untranslated` (no IOMMU, or identity), `own_domain` (one device
//! and its mappings), `neighbours` (two devices), `addresses` (what is handed out), `domains` (without a domain, without a
//! driver), `claimed` (an owner has the group), `removed` (out of the machine and back).

mod addresses;
mod attempt;
pub(crate) mod before_attach;
mod bench;
mod blind;
mod claimed;
mod domains;
mod neighbours;
mod own_domain;
mod removed;
mod untranslated;

use alloc::vec::Vec;

use dma::SpaceError;
use kernel::Probing;
use kernel::machine::clock::micros;
use report::{SuiteCase, SuiteReport};

use self::bench::Bench;
use super::mutation::Mutation;

/// Runs all cases, after those of `before_attach`.
///
/// # Errors
///
/// The domain of a group cannot be used.
pub(crate) fn run(
    probing: &mut Probing,
    mutation: Option<Mutation>,
    before_attach: Vec<SuiteCase>,
) -> Result<SuiteReport, SpaceError> {
    let start = micros();
    let mut bench = Bench::new(probing, mutation, before_attach)?;
    untranslated::run(&mut bench);
    own_domain::run(&mut bench);
    neighbours::run(&mut bench);
    addresses::run(&mut bench);
    domains::run(&mut bench);
    claimed::run(&mut bench);
    removed::run(&mut bench);
    let cases = bench.finish();
    Ok(SuiteReport { name: "isolation".into(), duration_us: micros().saturating_sub(start), cases })
}
