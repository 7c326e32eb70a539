//! What a device reset ends, and what it does not change.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{RESET, RESET_DETACHES};
use crate::deviation::{Check, ensure};
use crate::device::feature;
use crate::message::Message;
use crate::need::Need;
use crate::wanted::{NOENT, OK, Wanted};

const BYPASS_CONFIG: Need = Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG");

pub(super) const CASES: &[Case] = &[
    Case::new(
        "reset.ends-domain",
        "MAP in a domain from before a reset.",
        RESET_DETACHES,
        "NOENT",
        ends_domain,
    ),
    Case::new(
        "reset.ends-mappings",
        "MAP of a range that was mapped before a reset.",
        RESET_DETACHES,
        "OK",
        ends_mappings,
    ),
    Case::new(
        "reset.ends-all-domains",
        "MAP in two domains from before a reset.",
        RESET_DETACHES,
        "NOENT for both",
        ends_all,
    )
    .needs(&[Need::TwoEndpoints]),
    Case::new(
        "reset.ends-bypass-domain",
        "ATTACH without BYPASS to a bypass domain from before a reset.",
        RESET_DETACHES,
        "OK",
        ends_bypass,
    )
    .needs(&[BYPASS_CONFIG]),
    Case::new("reset.twice", "Two resets in a row, then ATTACH.", RESET, "OK", twice),
    Case::new(
        "reset.few-features",
        "ATTACH and MAP with no feature except MAP_UNMAP.",
        RESET,
        "OK",
        few_features,
    ),
    Case::new(
        "reset.configuration",
        "The configuration is read before and after a reset.",
        RESET,
        "the same",
        configuration,
    ),
    Case::new(
        "reset.after-error",
        "ATTACH after a request without a tail and a reset.",
        RESET,
        "OK",
        after_error,
    ),
];

fn reset(bench: &mut Bench<'_>) -> Check {
    bench.restart(u64::MAX)
}

fn ends_domain(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    reset(bench)?;
    bench.expect(&bench.map(domain, 0, 1), NOENT)
}

fn ends_mappings(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    reset(bench)?;
    bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn ends_all(bench: &mut Bench<'_>) -> Check {
    let domains = [bench.attached()?, bench.domain(1)];
    bench.expect(&Message::attach(domains[1], bench.second_endpoint()), OK)?;
    reset(bench)?;
    for domain in domains {
        bench.expect(&bench.map(domain, 0, 1), NOENT)?;
    }
    Ok(())
}

fn ends_bypass(bench: &mut Bench<'_>) -> Check {
    bench.expect(&Message::attach_bypass(bench.domain(0), bench.endpoint()), OK)?;
    reset(bench)?;
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn twice(bench: &mut Bench<'_>) -> Check {
    reset(bench)?;
    reset(bench)?;
    bench.attached().map(drop)
}

fn few_features(bench: &mut Bench<'_>) -> Check {
    bench.restart(feature::VERSION_1 | feature::MAP_UNMAP)?;
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn configuration(bench: &mut Bench<'_>) -> Check {
    let before = bench.config.clone();
    bench.attached()?;
    reset(bench)?;
    ensure(bench.config == before, "configuration", "the same", "another one")
}

/// A device that cannot go on may ask for a reset, and has to come back after it.
fn after_error(bench: &mut Bench<'_>) -> Check {
    let message = Message::attach(bench.domain(0), bench.endpoint());
    let mut request = message.request();
    request.writable.clear();
    // Whatever the device does now, `malformed.no-tail` compares it.
    drop(bench.send(&message, &request, &Wanted::Unwritten.words()));
    reset(bench)?;
    bench.attached().map(drop)
}
