//! DETACH, and what ends with the last endpoint of a domain.

use addr::EndpointId;

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    DETACH_ELSEWHERE, DETACH_ENDS_DOMAIN, DETACH_NOENT, DETACH_RESERVED, HEAD_RESERVED, STATUS_OK,
};
use crate::deviation::Check;
use crate::device::feature;
use crate::machine::with_high_bit;
use crate::message::{self, Message};
use crate::need::Need;
use crate::wanted::{INVAL, NOENT, OK, Wanted};

const TWO: &[Need] = &[Need::TwoEndpoints];

pub(super) const CASES: &[Case] = &[
    Case::new("detach.ok", "DETACH of an attached endpoint.", STATUS_OK, "OK", |bench| {
        detached(bench, |message| message)
    }),
    Case::new(
        "detach.reserved",
        "DETACH whose reserved field is filled.",
        DETACH_RESERVED,
        "OK, and it is detached",
        |bench| detached(bench, |message| message.reserved(message::DETACH_RESERVED)),
    ),
    Case::new(
        "detach.head-reserved",
        "DETACH whose head's reserved field is filled.",
        HEAD_RESERVED,
        "OK",
        |bench| detached(bench, |message| message.reserved(message::HEAD_RESERVED)),
    ),
    Case::new(
        "detach.unknown-endpoint",
        "DETACH of an endpoint that does not exist.",
        DETACH_NOENT,
        "NOENT",
        |bench| of(bench, bench.unknown_endpoint()),
    ),
    Case::new("detach.endpoint-all-ones", "DETACH of endpoint 2^32 - 1.", DETACH_NOENT, "NOENT", |bench| {
        of(bench, EndpointId(u32::MAX))
    }),
    Case::new(
        "detach.endpoint-high-bit",
        "DETACH of an attached endpoint's ID with bit 16 set.",
        DETACH_NOENT,
        "NOENT, and the endpoint stays attached",
        high_bit,
    ),
    Case::new(
        "detach.not-attached",
        "DETACH of an endpoint that has no domain.",
        DETACH_ELSEWHERE,
        "a status",
        never_attached,
    ),
    Case::new(
        "detach.other-domain",
        "DETACH from a domain that does not exist.",
        DETACH_ELSEWHERE,
        "a status, and the endpoint stays attached",
        other_domain,
    ),
    Case::new(
        "detach.domain-of-another",
        "DETACH from the domain of another endpoint.",
        DETACH_ELSEWHERE,
        "a status, and both endpoints stay attached",
        domain_of_another,
    )
    .needs(TWO),
    Case::new(
        "detach.twice",
        "DETACH of an endpoint that was just detached.",
        DETACH_ELSEWHERE,
        "a status",
        twice,
    ),
    Case::new(
        "detach.ends-domain",
        "MAP in a domain after its last DETACH.",
        DETACH_ENDS_DOMAIN,
        "NOENT",
        ends_domain,
    ),
    Case::new(
        "detach.ends-mappings",
        "MAP of a range that was mapped before the last DETACH.",
        DETACH_ENDS_DOMAIN,
        "OK",
        ends_mappings,
    ),
    Case::new(
        "detach.unmap-after",
        "UNMAP in a domain after its last DETACH.",
        DETACH_ENDS_DOMAIN,
        "NOENT",
        unmap_after,
    ),
    Case::new(
        "detach.first-of-two",
        "MAP of a mapped range after one of two endpoints was detached.",
        DETACH_ENDS_DOMAIN,
        "INVAL: the domain kept its mapping",
        first_of_two,
    )
    .needs(TWO),
    Case::new(
        "detach.last-of-two",
        "MAP in a domain after both endpoints were detached.",
        DETACH_ENDS_DOMAIN,
        "NOENT",
        last_of_two,
    )
    .needs(TWO),
    Case::new(
        "detach.id-for-bypass",
        "ATTACH with BYPASS to the ID of a domain that has ended.",
        DETACH_ENDS_DOMAIN,
        "OK",
        id_for_bypass,
    )
    .needs(&[Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG")]),
];

/// Attaches, sends a DETACH that is changed so, and checks that the domain has ended.
fn detached(bench: &mut Bench<'_>, change: fn(Message) -> Message) -> Check {
    let domain = bench.attached()?;
    bench.expect(&change(Message::detach(domain, bench.endpoint())), OK)?;
    bench.expect(&bench.map(domain, 0, 1), NOENT)
}

fn of(bench: &mut Bench<'_>, endpoint: EndpointId) -> Check {
    let domain = bench.attached()?;
    bench.expect(&Message::detach(domain, endpoint), NOENT)
}

fn high_bit(bench: &mut Bench<'_>) -> Check {
    of(bench, with_high_bit(bench.endpoint()))?;
    bench.expect(&Message::detach(bench.domain(0), bench.endpoint()), OK)
}

fn never_attached(bench: &mut Bench<'_>) -> Check {
    bench.expect(&Message::detach(bench.domain(0), bench.endpoint()), Wanted::Answered)
}

fn other_domain(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&Message::detach(bench.domain(1), bench.endpoint()), Wanted::Answered)?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn domain_of_another(bench: &mut Bench<'_>) -> Check {
    let first = bench.attached()?;
    let second = bench.domain(1);
    bench.expect(&Message::attach(second, bench.second_endpoint()), OK)?;
    bench.expect(&Message::detach(second, bench.endpoint()), Wanted::Answered)?;
    bench.expect(&Message::detach(first, bench.endpoint()), OK)?;
    bench.expect(&Message::detach(second, bench.second_endpoint()), OK)
}

/// Attaches the first endpoint, maps a page and detaches the endpoint.
fn mapped_and_detached(bench: &mut Bench<'_>) -> Check<u32> {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)?;
    Ok(domain)
}

fn twice(bench: &mut Bench<'_>) -> Check {
    let domain = mapped_and_detached(bench)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), Wanted::Answered)
}

fn ends_domain(bench: &mut Bench<'_>) -> Check {
    let domain = mapped_and_detached(bench)?;
    bench.expect(&bench.map(domain, 1, 1), NOENT)
}

fn ends_mappings(bench: &mut Bench<'_>) -> Check {
    let domain = mapped_and_detached(bench)?;
    bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn unmap_after(bench: &mut Bench<'_>) -> Check {
    let domain = mapped_and_detached(bench)?;
    bench.expect(&bench.unmap(domain, 0, 1), NOENT)
}

/// Attaches both endpoints to the first domain, maps a page and detaches the first endpoint.
fn one_of_two_left(bench: &mut Bench<'_>) -> Check<u32> {
    let domain = bench.attached()?;
    bench.expect(&Message::attach(domain, bench.second_endpoint()), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)?;
    Ok(domain)
}

fn first_of_two(bench: &mut Bench<'_>) -> Check {
    let domain = one_of_two_left(bench)?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)
}

fn last_of_two(bench: &mut Bench<'_>) -> Check {
    let domain = one_of_two_left(bench)?;
    bench.expect(&Message::detach(domain, bench.second_endpoint()), OK)?;
    bench.expect(&bench.map(domain, 0, 1), NOENT)
}

fn id_for_bypass(bench: &mut Bench<'_>) -> Check {
    let domain = mapped_and_detached(bench)?;
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), OK)
}
