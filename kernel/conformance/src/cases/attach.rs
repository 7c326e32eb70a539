//! ATTACH of one endpoint: what is accepted, what is rejected, and that a rejected request has no effect.

use addr::EndpointId;

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    ATTACH_ATTACHES, ATTACH_CREATES, ATTACH_FLAGS, ATTACH_KIND, ATTACH_NOENT, ATTACH_RESERVED, DOMAIN_RANGE,
    HEAD_RESERVED, STATUS_OK,
};
use crate::deviation::Check;
use crate::device::feature;
use crate::machine::with_high_bit;
use crate::message::{self, ATTACH_BYPASS, ATTACH_FLAGS_AT, Message};
use crate::need::Need;
use crate::wanted::{INVAL, NOENT, OK, Wanted};

const BYPASS_CONFIG: Need = Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG");

pub(super) const CASES: &[Case] = &[
    Case::new("attach.ok", "ATTACH of an endpoint to a new domain.", STATUS_OK, "OK", ok),
    Case::new("attach.creates-domain", "MAP in a domain that ATTACH created.", ATTACH_CREATES, "OK", creates),
    Case::new(
        "attach.every-endpoint",
        "ATTACH and DETACH of each endpoint of the machine.",
        STATUS_OK,
        "OK",
        every,
    ),
    Case::new(
        "attach.domain-first",
        "ATTACH to the first ID of domain_range.",
        DOMAIN_RANGE,
        "OK",
        |bench| to_domain(bench, bench.config.domain_range.0),
    ),
    Case::new("attach.domain-last", "ATTACH to the last ID of domain_range.", DOMAIN_RANGE, "OK", |bench| {
        to_domain(bench, bench.config.domain_range.1)
    }),
    Case::new(
        "attach.unknown-endpoint",
        "ATTACH of an endpoint that does not exist.",
        ATTACH_NOENT,
        "NOENT",
        |bench| of(bench, bench.unknown_endpoint()),
    ),
    Case::new("attach.endpoint-all-ones", "ATTACH of endpoint 2^32 - 1.", ATTACH_NOENT, "NOENT", |bench| {
        of(bench, EndpointId(u32::MAX))
    }),
    Case::new(
        "attach.endpoint-high-bit",
        "ATTACH of an endpoint's ID with bit 16 set.",
        ATTACH_NOENT,
        "NOENT",
        |bench| of(bench, with_high_bit(bench.endpoint())),
    ),
    Case::new(
        "attach.unknown-endpoint-creates-nothing",
        "MAP in the domain of a rejected ATTACH.",
        ATTACH_NOENT,
        "NOENT for both",
        |bench| has_no_effect(bench, ATTACH_OF_UNKNOWN, NOENT),
    ),
    Case::new(
        "attach.reserved",
        "ATTACH whose reserved field is filled.",
        ATTACH_RESERVED,
        "INVAL",
        |bench| has_no_effect(bench, |message| message.reserved(message::ATTACH_RESERVED), INVAL),
    ),
    Case::new(
        "attach.reserved-first",
        "ATTACH with a bit in the first reserved byte.",
        ATTACH_RESERVED,
        "INVAL",
        |bench| has_no_effect(bench, |message| message.with(16, &[1]), INVAL),
    ),
    Case::new(
        "attach.reserved-last",
        "ATTACH with a bit in the last reserved byte.",
        ATTACH_RESERVED,
        "INVAL",
        |bench| has_no_effect(bench, |message| message.with(19, &[0x80]), INVAL),
    ),
    Case::new(
        "attach.head-reserved",
        "ATTACH whose head's reserved field is filled.",
        HEAD_RESERVED,
        "OK",
        head_reserved,
    ),
    Case::new(
        "attach.flag-1",
        "ATTACH with bit 1 of flags.",
        ATTACH_FLAGS,
        "INVAL, and nothing is attached",
        |bench| has_no_effect(bench, |message| message.flags(ATTACH_FLAGS_AT, 1 << 1), INVAL),
    ),
    Case::new(
        "attach.flag-15",
        "ATTACH with bit 15 of flags.",
        ATTACH_FLAGS,
        "INVAL, and nothing is attached",
        |bench| has_no_effect(bench, |message| message.flags(ATTACH_FLAGS_AT, 1 << 15), INVAL),
    ),
    Case::new(
        "attach.flag-31",
        "ATTACH with bit 31 of flags.",
        ATTACH_FLAGS,
        "INVAL, and nothing is attached",
        |bench| has_no_effect(bench, |message| message.flags(ATTACH_FLAGS_AT, 1 << 31), INVAL),
    ),
    Case::new(
        "attach.flag-1-bypass",
        "ATTACH with BYPASS and bit 1 of flags.",
        ATTACH_FLAGS,
        "INVAL, and nothing is attached",
        |bench| has_no_effect(bench, |message| message.flags(ATTACH_FLAGS_AT, ATTACH_BYPASS | 1 << 1), INVAL),
    ),
    Case::new("attach.bypass", "ATTACH to a new bypass domain.", STATUS_OK, "OK", bypass)
        .needs(&[BYPASS_CONFIG]),
    Case::new(
        "attach.bypass-twice",
        "ATTACH of a second endpoint to a bypass domain.",
        ATTACH_ATTACHES,
        "OK",
        bypass_twice,
    )
    .needs(&[BYPASS_CONFIG, Need::TwoEndpoints]),
    Case::new(
        "attach.kind-bypass",
        "ATTACH with BYPASS to another endpoint's domain that translates.",
        ATTACH_KIND,
        "INVAL, and the other endpoint stays attached",
        |bench| of_other_kind(bench, false),
    )
    .needs(&[BYPASS_CONFIG, Need::TwoEndpoints]),
    Case::new(
        "attach.kind-translated",
        "ATTACH without BYPASS to another endpoint's bypass domain.",
        ATTACH_KIND,
        "INVAL, and the other endpoint stays attached",
        |bench| of_other_kind(bench, true),
    )
    .needs(&[BYPASS_CONFIG, Need::TwoEndpoints]),
    Case::new(
        "attach.kind-own",
        "ATTACH with BYPASS to the endpoint's own domain, which translates.",
        ATTACH_KIND,
        "INVAL",
        kind_of_own,
    )
    .needs(&[BYPASS_CONFIG]),
];

type Change = fn(Message) -> Message;

/// The endpoint's ID is replaced; [`has_no_effect`] builds the message with a known one.
const ATTACH_OF_UNKNOWN: Change = |message| message.with(8, &u32::MAX.to_le_bytes());

fn ok(bench: &mut Bench<'_>) -> Check {
    bench.attached().map(drop)
}

fn creates(bench: &mut Bench<'_>) -> Check {
    bench.expect(&bench.map(bench.domain(0), 0, 1), NOENT)?;
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)
}

fn every(bench: &mut Bench<'_>) -> Check {
    for endpoint in bench.endpoints() {
        bench.expect(&Message::attach(bench.domain(0), *endpoint), OK)?;
        bench.expect(&Message::detach(bench.domain(0), *endpoint), OK)?;
    }
    Ok(())
}

fn to_domain(bench: &mut Bench<'_>, domain: u32) -> Check {
    bench.expect(&Message::attach(domain, bench.endpoint()), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn of(bench: &mut Bench<'_>, endpoint: EndpointId) -> Check {
    bench.expect(&Message::attach(bench.domain(0), endpoint), NOENT)
}

/// An ATTACH that is changed so is rejected, and its domain does not exist afterwards.
fn has_no_effect(bench: &mut Bench<'_>, change: Change, wanted: Wanted) -> Check {
    let domain = bench.domain(0);
    bench.expect(&change(Message::attach(domain, bench.endpoint())), wanted)?;
    bench.expect(&bench.map(domain, 0, 1), NOENT)
}

fn head_reserved(bench: &mut Bench<'_>) -> Check {
    let message = Message::attach(bench.domain(0), bench.endpoint());
    bench.expect(&message.reserved(message::HEAD_RESERVED), OK)
}

fn bypass(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn bypass_twice(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), OK)?;
    bench.expect(&Message::attach_bypass(domain, bench.second_endpoint()), OK)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)?;
    bench.expect(&Message::detach(domain, bench.second_endpoint()), OK)
}

fn of_other_kind(bench: &mut Bench<'_>, first_is_bypass: bool) -> Check {
    let domain = bench.domain(0);
    let of_kind = |endpoint, bypass| {
        if bypass { Message::attach_bypass(domain, endpoint) } else { Message::attach(domain, endpoint) }
    };
    bench.expect(&of_kind(bench.endpoint(), first_is_bypass), OK)?;
    bench.expect(&of_kind(bench.second_endpoint(), !first_is_bypass), INVAL)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn kind_of_own(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), INVAL)
}
