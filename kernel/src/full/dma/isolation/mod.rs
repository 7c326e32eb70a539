//! The suite `isolation`: devices reach what is mapped for them, and nothing else (`suite=isolation`).
//!
//! A refused access is asserted twice: the memory is unchanged, and the IOMMU has reported a fault with the endpoint, the
//! address, the reason and the flags. `bench` has the devices and the assertions; the other files are the cases:
//! `own_domain` (one device and its mappings), `neighbours` (two devices), `domains` (without a domain, without a driver),
//! `addresses` (what is handed out).

mod addresses;
mod attempt;
mod bench;
mod domains;
mod neighbours;
mod own_domain;

use dma::SpaceError;
use kernel::Probing;
use kernel::machine::clock::micros;
use report::SuiteReport;

use self::bench::Bench;
use super::mutation::Mutation;

/// Runs all cases.
///
/// # Errors
///
/// The domain of a group cannot be used.
pub(crate) fn run(probing: &mut Probing, mutation: Option<Mutation>) -> Result<SuiteReport, SpaceError> {
    let start = micros();
    let mut bench = Bench::new(probing, mutation)?;
    own_domain::run(&mut bench);
    neighbours::run(&mut bench);
    addresses::run(&mut bench);
    domains::run(&mut bench);
    let cases = bench.finish();
    Ok(SuiteReport { name: "isolation".into(), duration_us: micros().saturating_sub(start), cases })
}
