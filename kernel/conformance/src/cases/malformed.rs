//! Requests that a device cannot parse: too short, without a tail, of an unknown type.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{UNKNOWN_TYPE, UNPARSED};
use crate::deviation::Check;
use crate::device::{Request, feature};
use crate::message::Message;
use crate::need::Need;
use crate::wanted::{OK, Wanted};

const PROBE: &[Need] = &[Need::Feature(feature::PROBE, "PROBE")];

/// Cases of a request of one type that is cut off after some bytes, with its tail.
macro_rules! cut {
    ($id:literal, $name:literal, $size:literal, $message:expr) => {
        Case::new($id, concat!($name, " that ends after ", $size, " bytes."), UNPARSED, "rejected", |bench| {
            let message: Message = $message(bench);
            cut(bench, &message, $size)
        })
    };
}

pub(super) const CASES: &[Case] = &[
    Case::new("type.0", "A request of type 0.", UNKNOWN_TYPE, UNWRITTEN, |bench| of_type(bench, 0)),
    Case::new("type.6", "A request of type 6.", UNKNOWN_TYPE, UNWRITTEN, |bench| of_type(bench, 6)),
    Case::new("type.128", "A request of type 128.", UNKNOWN_TYPE, UNWRITTEN, |bench| of_type(bench, 128)),
    Case::new("type.255", "A request of type 255.", UNKNOWN_TYPE, UNWRITTEN, |bench| of_type(bench, 255)),
    Case::new("type.unknown-then-known", "ATTACH after a request of type 6.", UNKNOWN_TYPE, "OK", then_known),
    cut!("malformed.attach-16", "ATTACH", 16, attach),
    cut!("malformed.attach-head", "ATTACH", 4, attach),
    cut!("malformed.detach-16", "DETACH", 16, detach),
    cut!("malformed.detach-head", "DETACH", 4, detach),
    cut!("malformed.map-35", "MAP", 35, map),
    cut!("malformed.map-head", "MAP", 4, map),
    cut!("malformed.unmap-27", "UNMAP", 27, unmap),
    cut!("malformed.unmap-head", "UNMAP", 4, unmap),
    cut!("malformed.probe-71", "PROBE", 71, probe).needs(PROBE),
    cut!("malformed.probe-head", "PROBE", 4, probe).needs(PROBE),
    Case::new("malformed.attach-longer", "ATTACH with 8 readable bytes more.", UNPARSED, "a status", longer),
    Case::new(
        "malformed.head-3",
        "A request whose readable part has 3 bytes.",
        UNPARSED,
        UNWRITTEN,
        |bench| with_buffers(bench, Some(3), &[4]),
    ),
    Case::new("malformed.no-head", "A request without a readable part.", UNPARSED, UNWRITTEN, |bench| {
        with_buffers(bench, None, &[4])
    }),
    Case::new("malformed.no-tail", "ATTACH without a writable part.", UNPARSED, UNWRITTEN, |bench| {
        with_buffers(bench, Some(20), &[])
    }),
    Case::new("malformed.tail-3", "ATTACH with 3 writable bytes.", UNPARSED, UNWRITTEN, |bench| {
        with_buffers(bench, Some(20), &[3])
    }),
    Case::new("malformed.tail-1", "ATTACH with 1 writable byte.", UNPARSED, UNWRITTEN, |bench| {
        with_buffers(bench, Some(20), &[1])
    }),
    Case::new(
        "malformed.then-well-formed",
        "ATTACH after a MAP that ends after its head.",
        UNPARSED,
        "OK",
        then_well_formed,
    ),
];

const UNWRITTEN: &str = "used length 0 and nothing written";

fn attach(bench: &Bench<'_>) -> Message {
    Message::attach(bench.domain(0), bench.endpoint())
}

fn detach(bench: &Bench<'_>) -> Message {
    Message::detach(bench.domain(0), bench.endpoint())
}

fn map(bench: &Bench<'_>) -> Message {
    bench.map(bench.domain(0), 0, 1)
}

fn unmap(bench: &Bench<'_>) -> Message {
    bench.unmap(bench.domain(0), 0, 1)
}

fn probe(bench: &Bench<'_>) -> Message {
    Message::probe(bench.endpoint(), bench.config.probe_size)
}

fn of_type(bench: &mut Bench<'_>, kind: u8) -> Check {
    bench.expect(&Message::unknown(kind), Wanted::Unwritten)
}

fn then_known(bench: &mut Bench<'_>) -> Check {
    bench.expect(&Message::unknown(6), Wanted::Answered)?;
    bench.attached().map(drop)
}

/// The endpoint is attached and a page is mapped, so that nothing but the length is wrong.
fn cut(bench: &mut Bench<'_>, message: &Message, size: usize) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 8, 1), OK)?;
    bench.expect(&message.clone().cut(size), Wanted::Rejected)
}

fn longer(bench: &mut Bench<'_>) -> Check {
    bench.expect(&attach(bench).longer(8), Wanted::Answered)
}

/// ATTACH with this much of its readable part and these writable sizes.
fn with_buffers(bench: &mut Bench<'_>, readable: Option<usize>, writable: &[usize]) -> Check {
    let message = attach(bench);
    let readable = readable.map(|size| message.readable[..size].to_vec());
    let request = Request { readable: readable.into_iter().collect(), writable: writable.to_vec() };
    bench.expect_framed(&message, &request, Wanted::Unwritten)
}

fn then_well_formed(bench: &mut Bench<'_>) -> Check {
    bench.expect(&map(bench).cut(4), Wanted::Rejected)?;
    bench.attached().map(drop)
}
