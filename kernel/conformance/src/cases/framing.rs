//! Requests whose parts are spread over several descriptors.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::FRAMING;
use crate::deviation::{Check, ensure};
use crate::device::feature;
use crate::message::Message;
use crate::need::Need;
use crate::wanted::OK;

const PROBE: &[Need] = &[Need::Feature(feature::PROBE, "PROBE")];

pub(super) const CASES: &[Case] = &[
    Case::new(
        "framing.head-apart",
        "ATTACH whose head has a descriptor of its own.",
        FRAMING,
        "OK",
        |bench| attach(bench, &[4], &[]),
    ),
    Case::new(
        "framing.inside-field",
        "ATTACH that is cut in the middle of a field.",
        FRAMING,
        "OK",
        |bench| attach(bench, &[10], &[]),
    ),
    Case::new("framing.fields-apart", "ATTACH with a descriptor for each field.", FRAMING, "OK", |bench| {
        attach(bench, &[4, 4, 4, 4, 4], &[])
    }),
    Case::new("framing.inside-head", "ATTACH that is cut after its type.", FRAMING, "OK", |bench| {
        attach(bench, &[1], &[])
    }),
    Case::new("framing.tail-halves", "ATTACH whose tail is in two descriptors.", FRAMING, "OK", |bench| {
        attach(bench, &[], &[2])
    }),
    Case::new(
        "framing.tail-bytes",
        "ATTACH with a descriptor for each byte of its tail.",
        FRAMING,
        "OK",
        |bench| attach(bench, &[], &[1, 1, 1, 1]),
    ),
    Case::new(
        "framing.both",
        "ATTACH with several descriptors in both directions.",
        FRAMING,
        "OK",
        |bench| attach(bench, &[2, 7], &[1]),
    ),
    Case::new("framing.map", "MAP with a descriptor for each field.", FRAMING, "OK", map),
    Case::new("framing.unmap", "UNMAP that is cut in the middle of a field.", FRAMING, "OK", unmap),
    Case::new(
        "framing.probe-tail-apart",
        "PROBE whose tail has a descriptor of its own.",
        FRAMING,
        "the answer to one descriptor",
        |bench| probe(bench, &[], true),
    )
    .needs(PROBE),
    Case::new(
        "framing.probe-pieces",
        "PROBE with several descriptors in both directions.",
        FRAMING,
        "the answer to one descriptor",
        |bench| probe(bench, &[5, 3], false),
    )
    .needs(PROBE),
];

fn attach(bench: &mut Bench<'_>, readable: &[usize], writable: &[usize]) -> Check {
    let message = Message::attach(bench.domain(0), bench.endpoint());
    bench.expect_framed(&message, &message.in_pieces(readable, writable), OK)?;
    // The fields were read where they are.
    bench.expect(&Message::detach(bench.domain(0), bench.endpoint()), OK)
}

fn map(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let message = bench.map(domain, 0, 1);
    bench.expect_framed(&message, &message.in_pieces(&[4, 4, 8, 8, 8], &[]), OK)?;
    bench.expect(&bench.unmap(domain, 0, 1), OK)?;
    bench.expect(&message, OK)
}

fn unmap(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let message = bench.map(domain, 0, 1);
    bench.expect(&message, OK)?;
    let unmap = bench.unmap(domain, 0, 1);
    bench.expect_framed(&unmap, &unmap.in_pieces(&[12], &[3]), OK)?;
    bench.expect(&message, OK)
}

fn probe(bench: &mut Bench<'_>, readable: &[usize], tail_apart: bool) -> Check {
    let message = Message::probe(bench.endpoint(), bench.config.probe_size);
    let whole = bench.answer(&message)?;
    let writable = if tail_apart { message.properties } else { message.properties / 2 + 3 };
    let request = message.in_pieces(readable, &[writable]);
    bench.expect_framed(&message, &request, OK)?;
    let pieces = bench.send(&message, &request, "OK")?;
    ensure(pieces == whole, message.name, "the same answer", "another answer")
}
