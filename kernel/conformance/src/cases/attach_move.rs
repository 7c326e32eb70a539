//! ATTACH of an endpoint that has a domain, and several endpoints in one domain.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{ATTACH_ATTACHES, ATTACH_MOVES, ATTACH_ONE_DOMAIN, ATTACH_SHARED, DETACH_ENDS_DOMAIN};
use crate::deviation::Check;
use crate::device::feature;
use crate::message::Message;
use crate::need::Need;
use crate::status::Status;
use crate::wanted::{INVAL, NOENT, OK, Wanted};

const TWO: &[Need] = &[Need::TwoEndpoints];
const BYPASS_CONFIG: &[Need] = &[Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG")];
const OK_OR_UNSUPP: Wanted = Wanted::Status(&[Status::OK, Status::UNSUPP]);

pub(super) const CASES: &[Case] = &[
    Case::new(
        "attach.again",
        "ATTACH of an endpoint to the domain that it has.",
        ATTACH_ATTACHES,
        "OK",
        again,
    ),
    Case::new(
        "attach.again-keeps-mappings",
        "MAP of a mapped range after a second ATTACH to the same domain.",
        DETACH_ENDS_DOMAIN,
        "INVAL: the domain kept its mapping",
        again_keeps_mappings,
    ),
    Case::new(
        "attach.move",
        "ATTACH of an attached endpoint to another domain.",
        ATTACH_MOVES,
        "OK, and DETACH there",
        moves,
    ),
    Case::new(
        "attach.move-back",
        "ATTACH to a second domain and back to the first one.",
        ATTACH_MOVES,
        "OK",
        back,
    ),
    Case::new(
        "attach.move-ends-domain",
        "MAP in the domain that the last endpoint left.",
        ATTACH_MOVES,
        "NOENT",
        ends_domain,
    ),
    Case::new(
        "attach.move-ends-mappings",
        "MAP of a range that was mapped before the last endpoint left and came back.",
        DETACH_ENDS_DOMAIN,
        "OK",
        ends_mappings,
    ),
    Case::new(
        "attach.move-to-bypass",
        "ATTACH of an attached endpoint to a bypass domain, and back.",
        ATTACH_MOVES,
        "OK",
        to_bypass,
    )
    .needs(BYPASS_CONFIG),
    Case::new(
        "attach.move-keeps-shared",
        "MAP of a mapped range in a domain that one of two endpoints left.",
        ATTACH_MOVES,
        "INVAL: the domain kept its mapping",
        keeps_shared,
    )
    .needs(TWO),
    Case::new(
        "attach.shared",
        "ATTACH of a second endpoint to a domain.",
        ATTACH_SHARED,
        "OK or UNSUPP",
        shared,
    )
    .needs(TWO),
    Case::new(
        "attach.shared-mappings",
        "ATTACH of a second endpoint to a domain with a mapping.",
        ATTACH_SHARED,
        "OK or UNSUPP, and the mapping stays",
        shared_mappings,
    )
    .needs(TWO),
    Case::new(
        "attach.two-domains",
        "The same range is mapped in two domains.",
        ATTACH_ONE_DOMAIN,
        "OK for both",
        two_domains,
    )
    .needs(TWO),
    Case::new("attach.swap", "Two endpoints change places.", ATTACH_MOVES, "OK", swap).needs(TWO),
];

fn again(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.attached()?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn again_keeps_mappings(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)
}

/// Attaches the first endpoint to the second domain.
fn move_to_second(bench: &mut Bench<'_>) -> Check<u32> {
    let domain = bench.domain(1);
    bench.expect(&Message::attach(domain, bench.endpoint()), OK)?;
    Ok(domain)
}

fn moves(bench: &mut Bench<'_>) -> Check {
    bench.attached()?;
    let second = move_to_second(bench)?;
    bench.expect(&bench.map(second, 0, 1), OK)?;
    bench.expect(&Message::detach(second, bench.endpoint()), OK)
}

fn back(bench: &mut Bench<'_>) -> Check {
    let first = bench.attached()?;
    let second = move_to_second(bench)?;
    bench.attached()?;
    bench.expect(&bench.map(second, 0, 1), NOENT)?;
    bench.expect(&bench.map(first, 0, 1), OK)
}

fn ends_domain(bench: &mut Bench<'_>) -> Check {
    let first = bench.attached()?;
    move_to_second(bench)?;
    bench.expect(&bench.map(first, 0, 1), NOENT)
}

fn ends_mappings(bench: &mut Bench<'_>) -> Check {
    let first = bench.attached()?;
    bench.expect(&bench.map(first, 0, 1), OK)?;
    move_to_second(bench)?;
    bench.attached()?;
    bench.expect(&bench.map(first, 0, 1), OK)
}

fn to_bypass(bench: &mut Bench<'_>) -> Check {
    bench.attached()?;
    bench.expect(&Message::attach_bypass(bench.domain(1), bench.endpoint()), OK)?;
    let first = bench.attached()?;
    bench.expect(&bench.map(first, 0, 1), OK)
}

/// Attaches both endpoints to the first domain; `false` if the device cannot.
fn both(bench: &mut Bench<'_>) -> Check<bool> {
    let domain = bench.attached()?;
    let second = Message::attach(domain, bench.second_endpoint());
    bench.expect(&second, OK_OR_UNSUPP)?;
    // A device that cannot share a domain has not attached the endpoint.
    let is_attached = bench.expect(&Message::detach(domain, bench.second_endpoint()), OK).is_ok();
    if is_attached {
        bench.expect(&second, OK)?;
    }
    Ok(is_attached)
}

fn shared(bench: &mut Bench<'_>) -> Check {
    both(bench).map(drop)
}

fn shared_mappings(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&Message::attach(domain, bench.second_endpoint()), OK_OR_UNSUPP)?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)
}

fn keeps_shared(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    if both(bench)? {
        bench.expect(&bench.map(domain, 0, 1), OK)?;
        move_to_second(bench)?;
        bench.expect(&bench.map(domain, 0, 1), INVAL)?;
    }
    Ok(())
}

fn two_domains(bench: &mut Bench<'_>) -> Check {
    let first = bench.attached()?;
    let second = bench.domain(1);
    bench.expect(&Message::attach(second, bench.second_endpoint()), OK)?;
    bench.expect(&bench.map(first, 0, 1), OK)?;
    bench.expect(&bench.map(second, 0, 1), OK)?;
    bench.expect(&bench.unmap(first, 0, 1), OK)?;
    bench.expect(&bench.map(second, 0, 1), INVAL)
}

fn swap(bench: &mut Bench<'_>) -> Check {
    let [first, second, spare] = [0, 1, 2].map(|index| bench.domain(index));
    let (one, other) = (bench.endpoint(), bench.second_endpoint());
    for (domain, endpoint) in [(first, one), (second, other), (spare, one), (first, other), (second, one)] {
        bench.expect(&Message::attach(domain, endpoint), OK)?;
    }
    bench.expect(&Message::detach(first, other), OK)?;
    bench.expect(&Message::detach(second, one), OK)
}
