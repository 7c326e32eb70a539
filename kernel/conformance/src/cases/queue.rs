//! Used lengths, tails, and several requests at once.

use alloc::vec::Vec;

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{EVENTS, STATUS_OK, TAIL_RESERVED, USED_LENGTH, USED_RING};
use crate::deviation::{Check, ensure};
use crate::device::{POISON, Request, feature};
use crate::message::{Message, TAIL_SIZE};
use crate::need::Need;
use crate::wanted::{INVAL, NOENT, OK, Wanted};

const PROBE: &[Need] = &[Need::Feature(feature::PROBE, "PROBE")];

/// Cases of one type of request: its used length and its tail.
macro_rules! answered {
    ($used:literal, $tail:literal, $name:literal, $message:expr) => {
        [
            Case::new(
                $used,
                concat!("The used length of ", $name, " is read."),
                USED_RING,
                "all bytes of the answer",
                |bench| used_length(bench, $message),
            ),
            Case::new(
                $tail,
                concat!("The tail of ", $name, " is read."),
                TAIL_RESERVED,
                "reserved is 0",
                |bench| tail_reserved(bench, $message),
            ),
        ]
    };
}

const OF_ATTACH: [Case; 2] =
    answered!("used.attach", "tail.attach", "ATTACH", |bench, domain| Message::attach(
        domain,
        bench.endpoint()
    ));
const OF_DETACH: [Case; 2] =
    answered!("used.detach", "tail.detach", "DETACH", |bench, domain| Message::detach(
        domain,
        bench.endpoint()
    ));
const OF_MAP: [Case; 2] = answered!("used.map", "tail.map", "MAP", |bench, domain| bench.map(domain, 0, 1));
const OF_UNMAP: [Case; 2] =
    answered!("used.unmap", "tail.unmap", "UNMAP", |bench, domain| bench.unmap(domain, 0, 1));
const OF_PROBE: [Case; 2] = answered!("used.probe", "tail.probe", "PROBE", |bench, _| Message::probe(
    bench.endpoint(),
    bench.config.probe_size
));
const OF_REJECTED: [Case; 2] =
    answered!("used.rejected", "tail.rejected", "a rejected ATTACH", |bench, domain| Message::attach(
        domain,
        bench.unknown_endpoint()
    ));

pub(super) const CASES: &[Case] = &[
    OF_ATTACH[0],
    OF_ATTACH[1],
    OF_DETACH[0],
    OF_DETACH[1],
    OF_MAP[0],
    OF_MAP[1],
    OF_UNMAP[0],
    OF_UNMAP[1],
    OF_PROBE[0].needs(PROBE),
    OF_PROBE[1].needs(PROBE),
    OF_REJECTED[0],
    OF_REJECTED[1],
    Case::new(
        "tail.once",
        "ATTACH with 12 writable bytes more than the tail.",
        USED_LENGTH,
        "one tail, and no byte beyond the used length",
        tail_once,
    ),
    Case::new(
        "batch.sequence",
        "ATTACH, MAP, UNMAP and DETACH with one notification.",
        STATUS_OK,
        "OK for all",
        sequence,
    ),
    Case::new(
        "batch.statuses",
        "Requests with different statuses, with one notification.",
        USED_RING,
        "each has its own status",
        statuses,
    ),
    Case::new(
        "batch.full",
        "As many MAPs as the queue holds, with one notification.",
        USED_RING,
        "OK for all",
        full,
    ),
    Case::new(
        "batch.probe-last",
        "ATTACH and PROBE with one notification.",
        USED_RING,
        "OK for both",
        probe_last,
    )
    .needs(PROBE),
    Case::new(
        "batch.probe-first",
        "PROBE and ATTACH with one notification.",
        USED_RING,
        "OK for both",
        probe_first,
    )
    .needs(PROBE)
    .hazard("QEMU before 8.1 writes the answer to ATTACH with the length of the one to PROBE, and aborts"),
    Case::new(
        "batch.around",
        "More requests than the queue has descriptors, one after the other.",
        STATUS_OK,
        "OK for all",
        around,
    ),
    Case::new(
        "event.none",
        "The event queue is read after ATTACH, MAP, UNMAP and DETACH.",
        EVENTS,
        "no event",
        no_event,
    ),
];

type Build = fn(&Bench<'_>, u32) -> Message;

fn used_length(bench: &mut Bench<'_>, build: Build) -> Check {
    let domain = bench.attached()?;
    let message = build(bench, domain);
    let answer = bench.send(&message, &message.request(), "an answer")?;
    let is_whole = answer.used as usize == message.answer_size();
    ensure(is_whole, message.name, "used length of the whole answer", "another used length")
}

fn tail_reserved(bench: &mut Bench<'_>, build: Build) -> Check {
    let domain = bench.attached()?;
    let message = build(bench, domain);
    let answer = bench.send(&message, &message.request(), "an answer")?;
    let reserved = answer.bytes.get(message.properties + 1..).unwrap_or_default();
    ensure(reserved == [0; 3], message.name, "reserved is 0", "reserved is not 0")
}

/// The tail may be where the writable part begins, or where it ends.
fn tail_once(bench: &mut Bench<'_>) -> Check {
    const ROOM: usize = 12 + TAIL_SIZE;
    let message = Message::attach(bench.domain(0), bench.endpoint());
    let request = Request { readable: message.request().readable, writable: [ROOM].into() };
    let answer = bench.send(&message, &request, "OK")?;
    let tail = [0; TAIL_SIZE];
    let beyond = |from: usize| answer.bytes[from..].iter().all(|byte| *byte == POISON);
    let at_start = answer.bytes.starts_with(&tail) && answer.used as usize == TAIL_SIZE && beyond(TAIL_SIZE);
    let at_end = answer.bytes.ends_with(&tail) && answer.used as usize == ROOM;
    ensure(at_start || at_end, message.name, "one tail", "otherwise")
}

fn sequence(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    let batch = [
        (Message::attach(domain, bench.endpoint()), OK),
        (bench.map(domain, 0, 1), OK),
        (bench.unmap(domain, 0, 1), OK),
        (Message::detach(domain, bench.endpoint()), OK),
    ];
    bench.expect_batch(&batch)
}

fn statuses(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    let batch = [
        (bench.map(domain, 0, 1), NOENT),
        (Message::attach(domain, bench.endpoint()), OK),
        (bench.map(domain, 0, 2), OK),
        (bench.map(domain, 1, 1), INVAL),
        (Message::attach(domain, bench.unknown_endpoint()), NOENT),
        (bench.unmap(domain, 0, 2), OK),
        (bench.map(domain, 1, 1), OK),
    ];
    bench.expect_batch(&batch)
}

fn full(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    // Two descriptors for each request.
    let requests = bench.queue_size() as u64 / 2;
    let batch: Vec<(Message, Wanted)> = (0..requests).map(|page| (bench.map(domain, page, 1), OK)).collect();
    bench.expect_batch(&batch)?;
    bench.expect(&bench.map(domain, 0, requests), INVAL)?;
    bench.expect(&bench.unmap(domain, 0, requests), OK)
}

fn probe_last(bench: &mut Bench<'_>) -> Check {
    let attach = Message::attach(bench.domain(0), bench.endpoint());
    let probe = Message::probe(bench.endpoint(), bench.config.probe_size);
    bench.expect_batch(&[(attach, OK), (probe, OK)])
}

fn probe_first(bench: &mut Bench<'_>) -> Check {
    let attach = Message::attach(bench.domain(0), bench.endpoint());
    let probe = Message::probe(bench.endpoint(), bench.config.probe_size);
    bench.expect_batch(&[(probe, OK), (attach, OK)])
}

fn around(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    for _ in 0..bench.queue_size() {
        bench.expect(&bench.map(domain, 0, 1), OK)?;
        bench.expect(&bench.unmap(domain, 0, 1), OK)?;
    }
    Ok(())
}

fn no_event(bench: &mut Bench<'_>) -> Check {
    sequence(bench)?;
    ensure(bench.events() == 0, "event queue", "no event", "an event")
}
