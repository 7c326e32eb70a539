//! Reserved regions: MAP over one is rejected, MAP beside it is not.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{MAP_RANGE, RESV_MEM_MAP, UNMAP_HOLES};
use crate::deviation::{Check, deviates};
use crate::device::feature;
use crate::message::{Interval, MAP_READ, Message};
use crate::need::Need;
use crate::wanted::{OK, Wanted};

const REGION: &[Need] = &[Need::Feature(feature::PROBE, "PROBE"), Need::ReservedRegion];

pub(super) const CASES: &[Case] = &[
    Case::new("reserved.map-exact", "MAP of a reserved region.", RESV_MEM_MAP, "rejected", |bench| {
        over(bench, |(first, last), _| (first, last))
    })
    .needs(REGION),
    Case::new(
        "reserved.map-start",
        "MAP of the page before a reserved region and its first page.",
        RESV_MEM_MAP,
        "rejected",
        |bench| over(bench, |(first, _), page| (first - page, first + (page - 1))),
    )
    .needs(REGION),
    Case::new(
        "reserved.map-end",
        "MAP of the last page of a reserved region and the page after.",
        RESV_MEM_MAP,
        "rejected",
        |bench| over(bench, |(_, last), page| (last - (page - 1), last + page)),
    )
    .needs(REGION),
    Case::new(
        "reserved.map-around",
        "MAP of a reserved region and a page on both sides.",
        RESV_MEM_MAP,
        "rejected",
        |bench| over(bench, |(first, last), page| (first - page, last + page)),
    )
    .needs(REGION),
    Case::new(
        "reserved.map-whole-range",
        "MAP of the whole input_range, with a reserved region in it.",
        RESV_MEM_MAP,
        "rejected",
        whole_range,
    )
    .needs(REGION),
    Case::new("reserved.map-before", "MAP of the page before a reserved region.", MAP_RANGE, "OK", |bench| {
        beside(bench, |(first, _), page| (first - page, first - 1))
    })
    .needs(REGION),
    Case::new("reserved.map-after", "MAP of the page after a reserved region.", MAP_RANGE, "OK", |bench| {
        beside(bench, |(_, last), page| (last + 1, last + page))
    })
    .needs(REGION),
    Case::new("reserved.unmap", "UNMAP over a reserved region.", UNMAP_HOLES, "OK", unmap).needs(REGION),
];

/// The part of the address space that a case maps, from a region and the granule.
type Part = fn(Interval, u64) -> Interval;

/// The first reserved region of the first endpoint, in whole pages.
fn region(bench: &mut Bench<'_>) -> Check<Interval> {
    let (first, last) =
        bench.first_region().ok_or_else(|| deviates("PROBE", "the same regions", "no region"))?;
    let in_page = bench.granule() - 1;
    Ok((first & !in_page, last | in_page))
}

fn part(bench: &mut Bench<'_>, part: Part) -> Check<Message> {
    let (first, last) = part(region(bench)?, bench.granule());
    Ok(Message::map(bench.domain(0), (first, last), bench.physical(0), MAP_READ))
}

fn over(bench: &mut Bench<'_>, of_region: Part) -> Check {
    bench.attached()?;
    let message = part(bench, of_region)?;
    bench.expect(&message, Wanted::Rejected)
}

fn beside(bench: &mut Bench<'_>, of_region: Part) -> Check {
    bench.attached()?;
    let message = part(bench, of_region)?;
    bench.expect(&message, OK)
}

fn whole_range(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&Message::map(domain, bench.config.input_range, 0, MAP_READ), Wanted::Rejected)
}

fn unmap(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let interval = region(bench)?;
    bench.expect(&Message::unmap(domain, interval), OK)
}
