//! PROBE: statuses, the list of properties, and the reserved regions in it.

use alloc::vec::Vec;

use addr::EndpointId;

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{
    HEAD_RESERVED, PROBE_LENGTH, PROBE_NOENT, PROBE_PROPERTY_RESERVED, PROBE_RESERVED, PROBE_SMALL,
    PROBE_ZEROES, RESV_MEM, RESV_MEM_DISJOINT, RESV_MEM_ONE_MSI, RESV_MEM_RESERVED, STATUS_OK,
};
use crate::deviation::{Check, ensure};
use crate::device::{POISON, Request, feature};
use crate::machine::with_high_bit;
use crate::message::{self, Message, TAIL_SIZE};
use crate::need::Need;
use crate::property::{self, Property, RESV_MEM as RESV_MEM_TYPE, RESV_MEM_SIZE, SUBTYPE_MSI};
use crate::wanted::{INVAL, NOENT, OK, answer_words};

const PROBE: &[Need] = &[Need::Feature(feature::PROBE, "PROBE")];

/// Why answers with too little room are not asked for by default.
const ABORTS: &str = "QEMU 7.2 aborts if the answer has less room than probe_size and the tail";

pub(super) const CASES: &[Case] = &[
    Case::new("probe.every-endpoint", "PROBE of each endpoint of the machine.", STATUS_OK, "OK", every)
        .needs(PROBE),
    Case::new(
        "probe.attached",
        "PROBE of an attached endpoint.",
        STATUS_OK,
        "the answer from before ATTACH",
        attached,
    )
    .needs(PROBE),
    Case::new("probe.repeated", "PROBE of an endpoint, twice.", STATUS_OK, "the same answer", repeated)
        .needs(PROBE),
    Case::new(
        "probe.unknown-endpoint",
        "PROBE of an endpoint that does not exist.",
        PROBE_NOENT,
        "NOENT",
        |bench| of(bench, bench.unknown_endpoint()),
    )
    .needs(PROBE),
    Case::new("probe.endpoint-all-ones", "PROBE of endpoint 2^32 - 1.", PROBE_NOENT, "NOENT", |bench| {
        of(bench, EndpointId(u32::MAX))
    })
    .needs(PROBE),
    Case::new(
        "probe.endpoint-high-bit",
        "PROBE of an endpoint's ID with bit 16 set.",
        PROBE_NOENT,
        "NOENT",
        |bench| of(bench, with_high_bit(bench.endpoint())),
    )
    .needs(PROBE),
    Case::new("probe.reserved", "PROBE whose reserved field is filled.", PROBE_RESERVED, "OK", |bench| {
        bench.expect(&probe(bench).reserved(message::PROBE_RESERVED), OK)
    })
    .needs(PROBE),
    Case::new(
        "probe.head-reserved",
        "PROBE whose head's reserved field is filled.",
        HEAD_RESERVED,
        "OK",
        |bench| bench.expect(&probe(bench).reserved(message::HEAD_RESERVED), OK),
    )
    .needs(PROBE),
    Case::new(
        "probe.lengths",
        "The list of properties is walked by their lengths.",
        PROBE_LENGTH,
        "every property fits, and RESV_MEM has 20 bytes",
        lengths,
    )
    .needs(PROBE),
    Case::new(
        "probe.property-reserved",
        "The headers of properties are read.",
        PROBE_PROPERTY_RESERVED,
        "0",
        property_reserved,
    )
    .needs(PROBE),
    Case::new(
        "probe.rest-is-zero",
        "The bytes after the last property are read.",
        PROBE_ZEROES,
        "0",
        rest_is_zero,
    )
    .needs(PROBE),
    Case::new(
        "probe.region-order",
        "The reserved regions are read.",
        RESV_MEM,
        "start is not above end",
        region_order,
    )
    .needs(PROBE),
    Case::new(
        "probe.region-subtype",
        "The reserved regions are read.",
        RESV_MEM,
        "subtype 0 or 1",
        region_subtype,
    )
    .needs(PROBE),
    Case::new(
        "probe.region-reserved",
        "The reserved regions are read.",
        RESV_MEM_RESERVED,
        "reserved is 0",
        region_reserved,
    )
    .needs(PROBE),
    Case::new(
        "probe.one-msi",
        "The reserved regions are read.",
        RESV_MEM_ONE_MSI,
        "at most one MSI region",
        one_msi,
    )
    .needs(PROBE),
    Case::new("probe.disjoint", "The reserved regions are read.", RESV_MEM_DISJOINT, "no overlap", disjoint)
        .needs(PROBE),
    Case::new(
        "probe.room-short",
        "PROBE with 8 bytes less room than probe_size.",
        PROBE_SMALL,
        "INVAL, and no property",
        |bench| small(bench, 8),
    )
    .needs(PROBE)
    .hazard(ABORTS),
    Case::new(
        "probe.room-half",
        "PROBE with half of probe_size as room.",
        PROBE_SMALL,
        "INVAL, and no property",
        |bench| small(bench, bench.config.probe_size as usize / 2),
    )
    .needs(PROBE)
    .hazard(ABORTS),
    Case::new(
        "probe.room-none",
        "PROBE with room for the tail alone.",
        PROBE_SMALL,
        "INVAL, and no property",
        |bench| small(bench, bench.config.probe_size as usize),
    )
    .needs(PROBE)
    .hazard(ABORTS),
];

fn probe_of(bench: &Bench<'_>, endpoint: EndpointId) -> Message {
    Message::probe(endpoint, bench.config.probe_size)
}

fn probe(bench: &Bench<'_>) -> Message {
    probe_of(bench, bench.endpoint())
}

/// The property bytes of an endpoint.
fn answered(bench: &mut Bench<'_>, endpoint: EndpointId) -> Check<Vec<u8>> {
    let message = probe_of(bench, endpoint);
    let mut bytes = bench.answer(&message)?.bytes;
    bytes.truncate(message.properties);
    Ok(bytes)
}

fn every(bench: &mut Bench<'_>) -> Check {
    for endpoint in bench.endpoints() {
        bench.expect(&probe_of(bench, *endpoint), OK)?;
    }
    Ok(())
}

fn of(bench: &mut Bench<'_>, endpoint: EndpointId) -> Check {
    bench.expect(&probe_of(bench, endpoint), NOENT)
}

fn attached(bench: &mut Bench<'_>) -> Check {
    let before = answered(bench, bench.endpoint())?;
    bench.attached()?;
    let after = answered(bench, bench.endpoint())?;
    ensure(before == after, "properties", "the same", "others")
}

fn repeated(bench: &mut Bench<'_>) -> Check {
    let first = answered(bench, bench.endpoint())?;
    let second = answered(bench, bench.endpoint())?;
    ensure(first == second, "properties", "the same", "others")
}

/// Calls `check` with the properties of each endpoint.
fn each_list(bench: &mut Bench<'_>, check: impl Fn(&[Property]) -> Check) -> Check {
    for endpoint in bench.endpoints() {
        let bytes = answered(bench, *endpoint)?;
        match property::list(&bytes) {
            Some((properties, _)) => check(&properties)?,
            None => return ensure(false, "properties", "every property fits", "one does not fit"),
        }
    }
    Ok(())
}

fn lengths(bench: &mut Bench<'_>) -> Check {
    each_list(bench, |properties| {
        let is_right = |one: &Property| one.kind != RESV_MEM_TYPE || one.value.len() == RESV_MEM_SIZE;
        ensure(properties.iter().all(is_right), "RESV_MEM", "20 bytes", "another length")
    })
}

fn property_reserved(bench: &mut Bench<'_>) -> Check {
    each_list(bench, |properties| {
        ensure(
            properties.iter().all(|one| one.reserved == 0),
            "property",
            "reserved is 0",
            "reserved is not 0",
        )
    })
}

fn rest_is_zero(bench: &mut Bench<'_>) -> Check {
    for endpoint in bench.endpoints() {
        let bytes = answered(bench, *endpoint)?;
        let is_zero = property::list(&bytes).is_some_and(|(_, rest)| rest.iter().all(|byte| *byte == 0));
        ensure(is_zero, "bytes after the list", "0", "not 0")?;
    }
    Ok(())
}

fn region_order(bench: &mut Bench<'_>) -> Check {
    each_region(bench, "start is not above end", |regions| {
        regions.iter().all(|one| one.interval.0 <= one.interval.1)
    })
}

fn region_subtype(bench: &mut Bench<'_>) -> Check {
    each_region(bench, "subtype 0 or 1", |regions| regions.iter().all(|one| one.subtype <= SUBTYPE_MSI))
}

fn region_reserved(bench: &mut Bench<'_>) -> Check {
    each_region(bench, "reserved is 0", |regions| regions.iter().all(|one| one.reserved == [0; 3]))
}

fn one_msi(bench: &mut Bench<'_>) -> Check {
    each_region(bench, "at most one MSI region", |regions| {
        regions.iter().filter(|one| one.subtype == SUBTYPE_MSI).count() <= 1
    })
}

fn disjoint(bench: &mut Bench<'_>) -> Check {
    each_region(bench, "no overlap", |regions| {
        let overlap = |(one, other): (&property::Region, &property::Region)| {
            one.interval.0 <= other.interval.1 && other.interval.0 <= one.interval.1
        };
        let pairs = |index: usize| regions[index + 1..].iter().map(move |other| (&regions[index], other));
        !(0..regions.len()).flat_map(pairs).any(overlap)
    })
}

fn each_region(bench: &mut Bench<'_>, expected: &str, holds: impl Fn(&[property::Region]) -> bool) -> Check {
    for endpoint in bench.endpoints() {
        let regions = bench.regions(*endpoint);
        ensure(holds(&regions), "RESV_MEM", expected, "otherwise")?;
    }
    Ok(())
}

/// PROBE with room for `missing` bytes less than `probe_size`; the tail is where the room ends.
fn small(bench: &mut Bench<'_>, missing: usize) -> Check {
    let message = probe(bench);
    let properties = message.properties - missing;
    let request = Request { readable: message.request().readable, writable: [properties + TAIL_SIZE].into() };
    let answer = bench.send(&message, &request, "INVAL")?;
    let is_invalid = INVAL.is_met(&answer, properties);
    ensure(is_invalid, message.name, &INVAL.words(), &answer_words(&answer, properties))?;
    let is_empty = answer.bytes[..properties].iter().all(|byte| matches!(*byte, 0 | POISON));
    ensure(is_empty, message.name, "no property", "a property")
}
