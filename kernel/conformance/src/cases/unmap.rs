//! UNMAP: domains, reserved fields, ranges that are not pages. What happens to mappings is in `split`.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    HEAD_RESERVED, MAP_DRIVER, UNMAP_BYPASS, UNMAP_COVERED, UNMAP_HOLES, UNMAP_NOENT, UNMAP_RESERVED,
    UNMAP_SPLIT,
};
use crate::deviation::Check;
use crate::device::feature;
use crate::message::{self, MAP_READ, Message};
use crate::need::Need;
use crate::status::Status;
use crate::wanted::{INVAL, NOENT, OK, RANGE, Wanted};

const GRANULE: &[Need] = &[Need::Granule];

pub(super) const CASES: &[Case] = &[
    Case::new(
        "unmap.unknown-domain",
        "UNMAP in a domain that does not exist.",
        UNMAP_NOENT,
        "NOENT",
        unknown_domain,
    ),
    Case::new("unmap.bypass-domain", "UNMAP in a bypass domain.", UNMAP_BYPASS, "INVAL", bypass_domain)
        .needs(&[Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG")]),
    Case::new(
        "unmap.reserved",
        "UNMAP whose reserved field is filled.",
        UNMAP_RESERVED,
        "OK or INVAL",
        reserved,
    ),
    Case::new(
        "unmap.head-reserved",
        "UNMAP whose head's reserved field is filled.",
        HEAD_RESERVED,
        "OK",
        head_reserved,
    ),
    Case::new("unmap.twice", "UNMAP of a range, twice.", UNMAP_HOLES, "OK for both", twice),
    Case::new("unmap.byte-more", "UNMAP of a page and one byte on both sides.", UNMAP_HOLES, "OK", byte_more)
        .needs(GRANULE),
    Case::new(
        "unmap.byte-less-at-end",
        "UNMAP of a page without its last byte.",
        UNMAP_SPLIT,
        "RANGE, and it is still mapped",
        |bench| byte_less(bench, 0, 1),
    )
    .needs(GRANULE),
    Case::new(
        "unmap.byte-less-at-start",
        "UNMAP of a page without its first byte.",
        UNMAP_SPLIT,
        "RANGE, and it is still mapped",
        |bench| byte_less(bench, 1, 0),
    )
    .needs(GRANULE),
    Case::new(
        "unmap.end-before-start",
        "UNMAP whose virt_end is before its virt_start, in an empty domain.",
        MAP_DRIVER,
        "a status",
        end_before_start,
    ),
    Case::new(
        "unmap.of-inverted",
        "UNMAP over a mapping whose virt_end is before its virt_start.",
        MAP_DRIVER,
        "a status",
        of_inverted,
    )
    .hazard("QEMU 7.2 and 10.0 do not return from this UNMAP: they find the mapping again and again"),
    Case::new(
        "unmap.other-domain",
        "UNMAP of a range that is mapped in two domains.",
        UNMAP_COVERED,
        "OK, and the other domain keeps its mapping",
        other_domain,
    )
    .needs(&[Need::TwoEndpoints]),
    Case::new("unmap.shared", "UNMAP in a domain of two endpoints.", UNMAP_COVERED, "OK, once", shared)
        .needs(&[Need::TwoEndpoints]),
];

fn unknown_domain(bench: &mut Bench<'_>) -> Check {
    bench.attached()?;
    bench.expect(&bench.unmap(bench.domain(1), 0, 1), NOENT)
}

fn bypass_domain(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), OK)?;
    bench.expect(&bench.unmap(domain, 0, 1), INVAL)
}

/// Attaches the first endpoint and maps page 0.
fn page_mapped(bench: &mut Bench<'_>) -> Check<u32> {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    Ok(domain)
}

fn reserved(bench: &mut Bench<'_>) -> Check {
    let domain = page_mapped(bench)?;
    let message = bench.unmap(domain, 0, 1).reserved(message::UNMAP_RESERVED);
    bench.expect(&message, Wanted::Status(&[Status::OK, Status::INVAL]))
}

fn head_reserved(bench: &mut Bench<'_>) -> Check {
    let domain = page_mapped(bench)?;
    bench.expect(&bench.unmap(domain, 0, 1).reserved(message::HEAD_RESERVED), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn twice(bench: &mut Bench<'_>) -> Check {
    let domain = page_mapped(bench)?;
    bench.expect(&bench.unmap(domain, 0, 1), OK)?;
    bench.expect(&bench.unmap(domain, 0, 1), OK)
}

fn byte_more(bench: &mut Bench<'_>) -> Check {
    let domain = page_mapped(bench)?;
    let (first, last) = bench.pages(0, 1);
    bench.expect(&Message::unmap(domain, (first - 1, last + 1)), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn byte_less(bench: &mut Bench<'_>, at_start: u64, at_end: u64) -> Check {
    let domain = page_mapped(bench)?;
    let (first, last) = bench.pages(0, 1);
    bench.expect(&Message::unmap(domain, (first + at_start, last - at_end)), RANGE)?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)
}

fn end_before_start(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let interval = (bench.pages(2, 1).0, bench.pages(0, 1).1);
    bench.expect(&Message::unmap(domain, interval), Wanted::Answered)
}

fn of_inverted(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let inverted = (bench.pages(2, 1).0, bench.pages(0, 1).1);
    bench.expect(&Message::map(domain, inverted, bench.physical(0), MAP_READ), Wanted::Answered)?;
    bench.expect(&bench.unmap(domain, 0, 4), Wanted::Answered)
}

fn other_domain(bench: &mut Bench<'_>) -> Check {
    let first = page_mapped(bench)?;
    let second = bench.domain(1);
    bench.expect(&Message::attach(second, bench.second_endpoint()), OK)?;
    bench.expect(&bench.map(second, 0, 1), OK)?;
    bench.expect(&bench.unmap(second, 0, 1), OK)?;
    bench.expect(&bench.map(first, 0, 1), INVAL)
}

fn shared(bench: &mut Bench<'_>) -> Check {
    let domain = page_mapped(bench)?;
    bench.expect(&Message::attach(domain, bench.second_endpoint()), OK)?;
    bench.expect(&bench.unmap(domain, 0, 1), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}
