//! MAP: flags, alignment, domains.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    HEAD_RESERVED, MAP_ALIGNED, MAP_BYPASS, MAP_DRIVER, MAP_FLAGS, MAP_FLAGS_OPEN, MAP_NOENT, MAP_RANGE,
    STATUS_OK,
};
use crate::deviation::Check;
use crate::device::feature;
use crate::message::{self, MAP_MMIO, MAP_READ, MAP_WRITE, Message};
use crate::need::Need;
use crate::wanted::{INVAL, NOENT, OK, RANGE, Wanted};

const MMIO: &[Need] = &[Need::Feature(feature::MMIO, "MMIO")];
const GRANULE: &[Need] = &[Need::Granule];

pub(super) const CASES: &[Case] = &[
    Case::new("map.read", "MAP for reading.", STATUS_OK, "OK", |bench| flags(bench, MAP_READ, OK)),
    Case::new("map.read-write", "MAP for reading and writing.", STATUS_OK, "OK", |bench| {
        flags(bench, MAP_READ | MAP_WRITE, OK)
    }),
    Case::new("map.write", "MAP for writing only.", MAP_FLAGS_OPEN, "a status", |bench| {
        flags(bench, MAP_WRITE, Wanted::Answered)
    }),
    Case::new("map.no-flags", "MAP without flags.", MAP_FLAGS_OPEN, "a status", |bench| {
        flags(bench, 0, Wanted::Answered)
    }),
    Case::new("map.mmio", "MAP of MMIO for reading and writing.", STATUS_OK, "OK", |bench| {
        flags(bench, MAP_READ | MAP_WRITE | MAP_MMIO, OK)
    })
    .needs(MMIO),
    Case::new(
        "map.mmio-without-feature",
        "MAP of MMIO, and MMIO was not accepted.",
        MAP_DRIVER,
        "a status",
        mmio_without_feature,
    )
    .needs(MMIO),
    Case::new(
        "map.flag-3",
        "MAP with READ and bit 3 of flags.",
        MAP_FLAGS,
        "INVAL, and nothing is mapped",
        |bench| unknown_flags(bench, MAP_READ | 1 << 3),
    ),
    Case::new(
        "map.flag-16",
        "MAP with READ and bit 16 of flags.",
        MAP_FLAGS,
        "INVAL, and nothing is mapped",
        |bench| unknown_flags(bench, MAP_READ | 1 << 16),
    ),
    Case::new(
        "map.flag-31",
        "MAP with READ and bit 31 of flags.",
        MAP_FLAGS,
        "INVAL, and nothing is mapped",
        |bench| unknown_flags(bench, MAP_READ | 1 << 31),
    ),
    Case::new(
        "map.flag-3-alone",
        "MAP with only bit 3 of flags.",
        MAP_FLAGS,
        "INVAL, and nothing is mapped",
        |bench| unknown_flags(bench, 1 << 3),
    ),
    Case::new(
        "map.unknown-domain",
        "MAP in a domain that does not exist.",
        MAP_NOENT,
        "NOENT",
        unknown_domain,
    ),
    Case::new("map.bypass-domain", "MAP in a bypass domain.", MAP_BYPASS, "INVAL", bypass_domain)
        .needs(&[Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG")]),
    Case::new(
        "map.head-reserved",
        "MAP whose head's reserved field is filled.",
        HEAD_RESERVED,
        "OK",
        head_reserved,
    ),
    Case::new(
        "map.start-unaligned",
        "MAP whose virt_start is one byte after a page's start.",
        MAP_ALIGNED,
        "RANGE",
        |bench| shifted(bench, (1, 0, 0)),
    )
    .needs(GRANULE),
    Case::new(
        "map.end-unaligned",
        "MAP whose virt_end is one byte before a page's end.",
        MAP_ALIGNED,
        "RANGE",
        |bench| shifted(bench, (0, 1, 0)),
    )
    .needs(GRANULE),
    Case::new(
        "map.phys-unaligned",
        "MAP whose phys_start is one byte after a page's start.",
        MAP_ALIGNED,
        "RANGE",
        |bench| shifted(bench, (0, 0, 1)),
    )
    .needs(GRANULE),
    Case::new(
        "map.half-granule",
        "MAP whose addresses are half a granule off.",
        MAP_ALIGNED,
        "RANGE",
        half_granule,
    )
    .needs(GRANULE),
    Case::new(
        "map.same-physical",
        "Two ranges are mapped to the same physical pages.",
        MAP_RANGE,
        "OK for both",
        same_physical,
    ),
    Case::new(
        "map.end-before-start",
        "MAP whose virt_end is before its virt_start.",
        MAP_DRIVER,
        "a status",
        end_before_start,
    ),
    Case::new(
        "map.physical-wraps",
        "MAP whose physical range passes 2^64.",
        MAP_DRIVER,
        "a status",
        physical_wraps,
    ),
];

fn flags(bench: &mut Bench<'_>, flags: u32, wanted: Wanted) -> Check {
    let domain = bench.attached()?;
    bench.expect(&Message::map(domain, bench.pages(0, 1), bench.physical(0), flags), wanted)
}

fn mmio_without_feature(bench: &mut Bench<'_>) -> Check {
    bench.restart(!feature::MMIO)?;
    flags(bench, MAP_READ | MAP_MMIO, Wanted::Answered)
}

fn unknown_flags(bench: &mut Bench<'_>, unknown: u32) -> Check {
    flags(bench, unknown, INVAL)?;
    bench.expect(&bench.map(bench.domain(0), 0, 1), OK)
}

fn unknown_domain(bench: &mut Bench<'_>) -> Check {
    bench.attached()?;
    bench.expect(&bench.map(bench.domain(1), 0, 1), NOENT)
}

fn bypass_domain(bench: &mut Bench<'_>) -> Check {
    let domain = bench.domain(0);
    bench.expect(&Message::attach_bypass(domain, bench.endpoint()), OK)?;
    bench.expect(&bench.map(domain, 0, 1), INVAL)
}

fn head_reserved(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    bench.expect(&bench.map(domain, 0, 1).reserved(message::HEAD_RESERVED), OK)
}

/// MAP of two pages whose start, end (towards the start) and physical start are shifted by so many bytes.
fn shifted(bench: &mut Bench<'_>, (start, end, physical): (u64, u64, u64)) -> Check {
    let domain = bench.attached()?;
    let (first, last) = bench.pages(0, 2);
    let message = Message::map(domain, (first + start, last - end), bench.physical(0) + physical, MAP_READ);
    bench.expect(&message, RANGE)
}

fn half_granule(bench: &mut Bench<'_>) -> Check {
    let half = bench.granule() / 2;
    let domain = bench.attached()?;
    let (first, last) = bench.pages(0, 2);
    bench
        .expect(&Message::map(domain, (first + half, last + half), bench.physical(0) + half, MAP_READ), RANGE)
}

fn same_physical(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    for page in [0, 4] {
        bench.expect(&Message::map(domain, bench.pages(page, 1), bench.physical(0), MAP_READ), OK)?;
    }
    Ok(())
}

/// The mapping is not removed by UNMAP afterwards: see `unmap.of-inverted`.
fn end_before_start(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let (first, last) = (bench.pages(2, 1).0, bench.pages(0, 1).1);
    bench.expect(&Message::map(domain, (first, last), bench.physical(0), MAP_READ), Wanted::Answered)?;
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn physical_wraps(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    let last_page = 0u64.wrapping_sub(bench.granule());
    bench.expect(&Message::map(domain, bench.pages(0, 2), last_page, MAP_READ), Wanted::Answered)
}
