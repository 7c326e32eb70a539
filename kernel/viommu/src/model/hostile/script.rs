//! What the driver is asked for.

use std::string::ToString;
use std::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{DomainHandle, DomainKind, IommuOps, Mapping, Prot, Refusal};

use super::bytes::Bytes;
use super::check::{self, Before, Driver, Summary};
use super::registers::{HostileClock, HostileTransport};
use super::setup::ENDPOINTS;
use super::world::{Moment, World, with};
use crate::model::live_pages;

/// Calls of one execution.
const MAX_CALLS: u32 = 64;
/// Drivers of one execution, one after the other.
const MAX_STARTS: u32 = 4;
/// Addresses are within so many granules.
const PAGES: u32 = 20;

/// Starts drivers one after the other, and calls them as `script` decides.
pub(super) fn run(script: &mut Bytes) -> Summary {
    let mut summary = Summary::default();
    for _ in 0..MAX_STARTS {
        let pages = live_pages();
        with(World::begin_start);
        match Driver::start(HostileTransport, HostileClock) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                summary.refused_starts += 1;
            }
            Ok(mut driver) => {
                summary.starts += 1;
                check::configuration(&driver);
                drive(&mut driver, script, &mut summary);
                with(World::begin_call);
                drop(driver);
            }
        }
        check::after_reset(pages, &mut summary);
        if script.is_empty() {
            break;
        }
    }
    summary
}

/// Makes calls until the script ends or asks for another start.
fn drive(driver: &mut Driver, script: &mut Bytes, summary: &mut Summary) {
    for _ in 0..2 {
        let _ = driver.alloc_domain(DomainKind::Paging);
    }
    while !script.is_empty() && summary.calls < MAX_CALLS {
        let before = Before::call(driver);
        let Some(done) = call(driver, script) else { break };
        summary.refusals += u32::from(done.refusals > 0);
        before.check(driver, done.mappings, summary);
    }
}

/// The outcome of a call.
#[derive(Default)]
struct Done {
    /// Mappings that it was about.
    mappings: usize,
    refusals: usize,
}

/// Makes one call; `None` ends this driver.
fn call(driver: &mut Driver, script: &mut Bytes) -> Option<Done> {
    let operation = script.below(32);
    let mut done = Done::default();
    let mut note = |refusal: Result<(), Refusal>, endpoint| {
        if let Err(refusal) = refusal {
            check::refused(&refusal, endpoint);
            done.refusals += 1;
        }
    };
    match operation {
        0 => return None,
        1..8 => {
            let (domain, endpoint) = (domain(driver, script), endpoint(script));
            let attached = driver.attach(domain, endpoint);
            assert!(attached.is_err() || driver.domain_of(endpoint) == Some(domain));
            note(attached, Some(endpoint));
        }
        8..11 => {
            let (domain, endpoint) = (domain(driver, script), endpoint(script));
            let detached = driver.detach(domain, endpoint);
            assert!(detached.is_err() || driver.domain_of(endpoint).is_none());
            note(detached, Some(endpoint));
        }
        11..16 => {
            let Mapping { iova, phys, prot } = mapping(driver, script);
            note(driver.map(domain(driver, script), iova, phys, prot), None);
            done.mappings = 1;
        }
        16..18 => {
            let iova = pages(driver, script);
            note(driver.unmap(domain(driver, script), iova), None);
        }
        18..21 => probe(driver, script, &mut note),
        21 => note(driver.alloc_domain(DomainKind::Paging).map(drop), None),
        22 => note(driver.alloc_domain(DomainKind::Identity).map(drop), None),
        23 => driver.free_domain(domain(driver, script)),
        24 | 25 => {
            let before = driver.counters().faults;
            let faults = driver.poll_faults();
            assert_eq!(faults.count(), driver.counters().faults - before, "no fault is lost or invented");
            assert!(faults.faults.iter().all(|fault| fault.count > 0 && !fault.to_string().is_empty()));
        }
        26 => set_bypass(driver, script, &mut note),
        27 | 28 => {
            let domain = domain(driver, script);
            let first = mapping(driver, script);
            let joined = script.flag();
            let to_phys = |iova: &Range<Iova>| match joined {
                true => PhysAddr(first.phys.0.saturating_add(iova.start().0 - first.iova.start().0)),
                false => first.phys,
            };
            let mappings: Vec<_> = row(driver, script, first.iova)
                .into_iter()
                .map(|iova| Mapping { iova, phys: to_phys(&iova), ..first })
                .collect();
            let results = match joined {
                true => driver.map_joined(domain, &mappings),
                false => driver.map_all(domain, &mappings),
            };
            assert_eq!(results.len(), mappings.len());
            results.into_iter().for_each(|result| note(result, None));
            done.mappings = mappings.len();
        }
        29 => {
            let domain = domain(driver, script);
            let first = pages(driver, script);
            let ranges = row(driver, script, first);
            let results = driver.unmap_all(domain, &ranges);
            assert_eq!(results.len(), ranges.len());
            results.into_iter().for_each(|result| note(result, None));
        }
        30 => {
            let waits = script.byte();
            with(|world| {
                for _ in 0..waits {
                    world.device.tick();
                    world.moment(Moment::Access);
                }
            });
        }
        _ => {
            let _ = driver.bypass();
            driver.expect_faults();
            assert!(driver.granule().is_power_of_two());
        }
    }
    Some(done)
}

fn probe(
    driver: &mut Driver,
    script: &mut Bytes,
    note: &mut impl FnMut(Result<(), Refusal>, Option<EndpointId>),
) {
    let chosen = script.byte();
    let endpoints: Vec<_> =
        (0..=ENDPOINTS).filter(|endpoint| chosen >> endpoint & 1 != 0).map(EndpointId).collect();
    let is_late = endpoints.iter().any(|endpoint| driver.domain_of(*endpoint).is_some());
    with(|world| world.reserved_late |= is_late);
    match driver.probe_device(&endpoints) {
        Ok(accepted) => {
            assert_eq!(accepted.endpoints.len() + accepted.refused.len(), endpoints.len());
            assert!(accepted.endpoints.iter().all(|endpoint| endpoints.contains(endpoint)));
            for refusal in accepted.refused {
                assert!(refusal.endpoint.is_some_and(|endpoint| endpoints.contains(&endpoint)), "{refusal}");
                note(Err(refusal), None);
            }
        }
        Err(refusal) => {
            let named = refusal.endpoint.is_some_and(|endpoint| endpoints.contains(&endpoint));
            assert!(named || endpoints.is_empty(), "{refusal}");
            note(Err(refusal), None);
        }
    }
}

fn set_bypass(
    driver: &mut Driver,
    script: &mut Bytes,
    note: &mut impl FnMut(Result<(), Refusal>, Option<EndpointId>),
) {
    let bypass = script.flag();
    let set = driver.set_bypass(bypass);
    with(|world| {
        let stored = world.config.get(36).is_some_and(|byte| (*byte != 0) == bypass);
        assert!(set.is_err() || stored || world.lied_about_config, "bypass is not what was set");
    });
    note(set, None);
}

fn endpoint(script: &mut Bytes) -> EndpointId {
    // The last one does not exist.
    EndpointId([0, 1, 2, 0, 3, 1, 0, ENDPOINTS][script.below(8) as usize])
}

/// A domain that may exist: the lowest IDs are given out first.
fn domain(driver: &Driver, script: &mut Bytes) -> DomainHandle {
    let index = [1, 2, 0, 1, 1, 2, 3, 4][script.below(8) as usize];
    DomainHandle(driver.config().domain_range.0.saturating_add(index))
}

/// Ranges like the first one, in a row, with gaps or on top of each other; now and then more than fit
/// one batch.
fn row(driver: &Driver, script: &mut Bytes, first: Range<Iova>) -> Vec<Range<Iova>> {
    let count = match script.byte() {
        byte @ 0..240 => u64::from(byte) % 12,
        _ => 150,
    };
    let stride = driver.granule().saturating_mul([4, 1, 5, 0][script.below(4) as usize]);
    let moved = |index: u64| {
        let by = stride.saturating_mul(index);
        let ends = [first.start(), first.end()].map(|end| Iova(end.0.saturating_add(by)));
        Range::new(ends[0], ends[1]).unwrap_or(first)
    };
    (0..count).map(moved).collect()
}

/// A few granules at the start of the aperture.
fn pages(driver: &Driver, script: &mut Bytes) -> Range<Iova> {
    let byte = script.byte();
    let (granule, first) = (driver.granule(), u64::from(byte) % u64::from(PAGES));
    let base = driver.aperture().start().0.checked_next_multiple_of(granule).unwrap_or(0);
    let start = base.saturating_add(first.saturating_mul(granule));
    let pages = 1 + u64::from(byte >> 6);
    let misaligned = u64::from(byte == 255);
    Range::from_size(Iova(start.saturating_add(misaligned)), pages.saturating_mul(granule))
        .unwrap_or_else(|| Range::new(Iova(start), Iova(start)).expect("one address is a range"))
}

fn mapping(driver: &Driver, script: &mut Bytes) -> Mapping {
    let iova = pages(driver, script);
    let byte = script.byte();
    let phys = PhysAddr(0x4000_0000_u64.next_multiple_of(driver.granule()) + u64::from(byte == 255));
    let prot = Prot { read: byte & 1 == 0, write: byte & 2 == 0, mmio: byte & 0x70 == 0x70 };
    Mapping { iova, phys, prot }
}
