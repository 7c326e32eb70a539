//! What the device offers and presents before any request.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    BYPASS_VALUE, DOMAIN_RANGE, EVENTS, INPUT_RANGE, NO_OLD_BYPASS, OFFERS_MAP_UNMAP, PAGE_SIZE_MASK,
};
use crate::deviation::{Check, ensure};
use crate::device::feature;

pub(super) const CASES: &[Case] = &[
    Case::new("config.page-size-mask", "page_size_mask is read.", PAGE_SIZE_MASK, "not 0", page_size_mask)
        .only_reads(),
    Case::new(
        "config.input-range",
        "input_range is read.",
        INPUT_RANGE,
        "start is not above end",
        input_range,
    )
    .only_reads(),
    Case::new(
        "config.domain-range",
        "domain_range is read.",
        DOMAIN_RANGE,
        "start is not above end",
        domain_range,
    )
    .only_reads(),
    Case::new("config.bypass", "bypass is read.", BYPASS_VALUE, "0 or 1", bypass).only_reads(),
    Case::new("config.map-unmap", "Features are read.", OFFERS_MAP_UNMAP, "MAP_UNMAP", map_unmap)
        .only_reads(),
    Case::new("config.old-bypass", "Features are read.", NO_OLD_BYPASS, "no BYPASS", old_bypass).only_reads(),
    Case::new("config.no-event", "The event queue is read after start.", EVENTS, "no event", no_event)
        .only_reads(),
];

fn page_size_mask(bench: &mut Bench<'_>) -> Check {
    ensure(bench.config.page_size_mask != 0, "page_size_mask", "not 0", "0")
}

fn input_range(bench: &mut Bench<'_>) -> Check {
    let (start, end) = bench.config.input_range;
    let is_used = bench.offered() & feature::INPUT_RANGE != 0;
    ensure(!is_used || start <= end, "input_range", "start is not above end", "start above end")
}

fn domain_range(bench: &mut Bench<'_>) -> Check {
    let (start, end) = bench.config.domain_range;
    let is_used = bench.offered() & feature::DOMAIN_RANGE != 0;
    ensure(!is_used || start <= end, "domain_range", "start is not above end", "start above end")
}

fn bypass(bench: &mut Bench<'_>) -> Check {
    let is_used = bench.offered() & feature::BYPASS_CONFIG != 0;
    ensure(!is_used || bench.config.bypass <= 1, "bypass", "0 or 1", "another value")
}

fn map_unmap(bench: &mut Bench<'_>) -> Check {
    ensure(bench.offered() & feature::MAP_UNMAP != 0, "features", "MAP_UNMAP", "no MAP_UNMAP")
}

fn old_bypass(bench: &mut Bench<'_>) -> Check {
    ensure(bench.offered() & feature::BYPASS == 0, "features", "no BYPASS", "BYPASS")
}

fn no_event(bench: &mut Bench<'_>) -> Check {
    bench.restart(u64::MAX)?;
    ensure(bench.events() == 0, "event queue", "no event", "an event")
}
