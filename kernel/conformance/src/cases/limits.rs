//! The ends of the address space, and the input range.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{INPUT_RANGE, MAP_OVERLAP, MAP_RANGE, UNMAP_COVERED, UNMAP_HOLES};
use crate::deviation::Check;
use crate::message::{Interval, MAP_READ, Message};
use crate::need::Need;
use crate::wanted::{INVAL, OK, Wanted};

const NARROW: &[Need] = &[Need::NarrowInputRange];

pub(super) const CASES: &[Case] = &[
    Case::new("limits.first-page", "MAP of the first page of input_range.", MAP_RANGE, "OK", |bench| {
        mapped_once(bench, first_page(bench))
    }),
    Case::new("limits.last-page", "MAP of the last page of input_range.", MAP_RANGE, "OK", |bench| {
        mapped_once(bench, last_page(bench))
    }),
    Case::new(
        "limits.last-page-twice",
        "MAP of the last page of input_range, twice.",
        MAP_OVERLAP,
        "INVAL",
        |bench| mapped_twice(bench, last_page(bench)),
    ),
    Case::new(
        "limits.both-ends",
        "MAP of the first and of the last page of input_range.",
        MAP_RANGE,
        "OK for both",
        both_ends,
    ),
    Case::new("limits.whole-range", "MAP of the whole input_range.", MAP_RANGE, "OK", |bench| {
        mapped_once(bench, bench.config.input_range)
    })
    .needs(&[Need::NoReservedRegion]),
    Case::new(
        "limits.whole-range-overlap",
        "MAP of a page after MAP of the whole input_range.",
        MAP_OVERLAP,
        "INVAL",
        whole_then_page,
    )
    .needs(&[Need::NoReservedRegion]),
    Case::new("limits.large", "MAP of 1 GiB.", MAP_RANGE, "OK", |bench| mapped_once(bench, gibibyte(bench))),
    Case::new(
        "limits.many",
        "256 pages are mapped one by one and unmapped at once.",
        UNMAP_COVERED,
        "OK",
        many,
    ),
    Case::new(
        "limits.unmap-whole-range",
        "UNMAP of the whole input_range.",
        UNMAP_HOLES,
        "OK, and nothing is mapped",
        unmap_whole,
    ),
    Case::new(
        "limits.unmap-last-page",
        "UNMAP of the last page of input_range.",
        UNMAP_COVERED,
        "OK",
        unmap_last,
    ),
    Case::new(
        "limits.beyond-range",
        "MAP of the page after input_range.",
        INPUT_RANGE,
        "rejected",
        |bench| rejected(bench, page_after(bench)),
    )
    .needs(NARROW),
    Case::new(
        "limits.across-range-end",
        "MAP of the last page of input_range and the page after.",
        INPUT_RANGE,
        "rejected",
        |bench| rejected(bench, (last_page(bench).0, page_after(bench).1)),
    )
    .needs(NARROW),
    Case::new(
        "limits.last-address",
        "MAP of the last page of 64 bits, beyond input_range.",
        INPUT_RANGE,
        "rejected",
        |bench| rejected(bench, (0u64.wrapping_sub(bench.granule()), u64::MAX)),
    )
    .needs(NARROW),
];

/// Number of mappings of `limits.many`.
const MANY: u64 = 256;

fn first_page(bench: &Bench<'_>) -> Interval {
    let start = bench.config.input_range.0;
    (start, start + (bench.granule() - 1))
}

fn last_page(bench: &Bench<'_>) -> Interval {
    let end = bench.config.input_range.1;
    (end - (bench.granule() - 1), end)
}

/// The case needs [`Need::NarrowInputRange`].
fn page_after(bench: &Bench<'_>) -> Interval {
    let start = bench.config.input_range.1.saturating_add(1);
    (start, start.saturating_add(bench.granule() - 1))
}

/// 1 GiB, clear of QEMU's MSI windows.
fn gibibyte(bench: &Bench<'_>) -> Interval {
    let start = bench.config.input_range.0.next_multiple_of(1 << 30) + (1 << 30);
    (start, start + ((1 << 30) - 1))
}

fn map(bench: &Bench<'_>, interval: Interval) -> Message {
    Message::map(bench.domain(0), interval, 0, MAP_READ)
}

fn mapped_once(bench: &mut Bench<'_>, interval: Interval) -> Check {
    let domain = bench.attached()?;
    bench.expect(&map(bench, interval), OK)?;
    bench.expect(&Message::unmap(domain, interval), OK)
}

fn mapped_twice(bench: &mut Bench<'_>, interval: Interval) -> Check {
    bench.attached()?;
    bench.expect(&map(bench, interval), OK)?;
    bench.expect(&map(bench, interval), INVAL)
}

fn both_ends(bench: &mut Bench<'_>) -> Check {
    bench.attached()?;
    bench.expect(&map(bench, last_page(bench)), OK)?;
    bench.expect(&map(bench, first_page(bench)), OK)
}

fn whole_then_page(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&map(bench, bench.config.input_range), OK)?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)?;
    bench.expect(&map(bench, last_page(bench)), INVAL)
}

fn many(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    for page in 0..MANY {
        bench.expect(&bench.map(domain, page, 1), OK)?;
    }
    bench.expect(&bench.unmap(domain, 0, MANY), OK)?;
    bench.expect(&bench.map(domain, 0, MANY), OK)
}

fn unmap_whole(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&map(bench, last_page(bench)), OK)?;
    bench.expect(&Message::unmap(domain, bench.config.input_range), OK)?;
    bench.expect(&bench.map(domain, 0, 1), OK)?;
    bench.expect(&map(bench, last_page(bench)), OK)
}

fn unmap_last(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&map(bench, last_page(bench)), OK)?;
    bench.expect(&Message::unmap(domain, last_page(bench)), OK)?;
    bench.expect(&map(bench, last_page(bench)), OK)
}

fn rejected(bench: &mut Bench<'_>, interval: Interval) -> Check {
    bench.attached()?;
    bench.expect(&map(bench, interval), Wanted::Rejected)
}
