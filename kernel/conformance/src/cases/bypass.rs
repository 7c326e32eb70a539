//! The field `bypass`: who may write it, and what keeps it.

use crate::bench::Bench;
use crate::case::Case;
use crate::clause::{BYPASS_KEPT, BYPASS_VALUE, BYPASS_WRITABLE};
use crate::deviation::{Check, ensure};
use crate::device::feature;
use crate::message::Message;
use crate::need::Need;
use crate::wanted::OK;

const BYPASS_CONFIG: &[Need] = &[Need::Feature(feature::BYPASS_CONFIG, "BYPASS_CONFIG")];

pub(super) const CASES: &[Case] = &[
    Case::new("bypass.write-0", "0 is written to bypass.", BYPASS_WRITABLE, "reads 0", |bench| {
        written(bench, 0)
    })
    .needs(BYPASS_CONFIG),
    Case::new("bypass.write-1", "1 is written to bypass.", BYPASS_WRITABLE, "reads 1", |bench| {
        written(bench, 1)
    })
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.toggle",
        "bypass is written three times.",
        BYPASS_WRITABLE,
        "reads what was written",
        toggled,
    )
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.write-while-attached",
        "bypass is written while an endpoint is attached.",
        BYPASS_WRITABLE,
        "reads what was written, and the endpoint stays attached",
        while_attached,
    )
    .needs(BYPASS_CONFIG),
    Case::new("bypass.write-2", "2 is written to bypass.", BYPASS_VALUE, "reads 0 or 1", |bench| {
        refused(bench, 2)
    })
    .needs(BYPASS_CONFIG),
    Case::new("bypass.write-255", "255 is written to bypass.", BYPASS_VALUE, "reads 0 or 1", |bench| {
        refused(bench, 255)
    })
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.write-without-feature",
        "bypass is written, and BYPASS_CONFIG was not accepted.",
        BYPASS_VALUE,
        "reads 0 or 1, and the device starts again",
        without_feature,
    )
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.reset-keeps-0",
        "0 is written to bypass, then the device is reset.",
        BYPASS_KEPT,
        "reads 0",
        |bench| kept(bench, 0),
    )
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.reset-keeps-1",
        "1 is written to bypass, then the device is reset.",
        BYPASS_KEPT,
        "reads 1",
        |bench| kept(bench, 1),
    )
    .needs(BYPASS_CONFIG),
    Case::new(
        "bypass.feature-keeps",
        "The device is started without BYPASS_CONFIG, then with it.",
        BYPASS_KEPT,
        "reads the same three times",
        other_features,
    )
    .needs(BYPASS_CONFIG),
];

fn reads(bench: &mut Bench<'_>, wanted: u8) -> Check {
    let found = bench.read_config().bypass;
    let word = |value| match value {
        0 => "0",
        1 => "1",
        _ => "another value",
    };
    ensure(found == wanted, "bypass", word(wanted), word(found))
}

fn reads_0_or_1(bench: &mut Bench<'_>) -> Check {
    let found = bench.read_config().bypass;
    ensure(found <= 1, "bypass", "0 or 1", "another value")
}

fn written(bench: &mut Bench<'_>, value: u8) -> Check {
    // The other value first, so that the field has to change.
    bench.write_bypass(1 - value);
    bench.write_bypass(value);
    reads(bench, value)
}

fn toggled(bench: &mut Bench<'_>) -> Check {
    for value in [1, 0, 1] {
        bench.write_bypass(value);
        reads(bench, value)?;
    }
    Ok(())
}

fn while_attached(bench: &mut Bench<'_>) -> Check {
    let domain = bench.attached()?;
    for value in [0, 1] {
        bench.write_bypass(value);
        reads(bench, value)?;
    }
    bench.expect(&Message::detach(domain, bench.endpoint()), OK)
}

fn refused(bench: &mut Bench<'_>, value: u8) -> Check {
    bench.write_bypass(value);
    reads_0_or_1(bench)?;
    bench.restart(u64::MAX)?;
    reads_0_or_1(bench)
}

fn without_feature(bench: &mut Bench<'_>) -> Check {
    bench.restart(!feature::BYPASS_CONFIG)?;
    bench.write_bypass(1 - bench.config.bypass.min(1));
    reads_0_or_1(bench)?;
    bench.restart(u64::MAX)?;
    reads_0_or_1(bench)
}

fn kept(bench: &mut Bench<'_>, value: u8) -> Check {
    bench.write_bypass(value);
    bench.restart(u64::MAX)?;
    reads(bench, value)
}

fn other_features(bench: &mut Bench<'_>) -> Check {
    let before = bench.config.bypass;
    bench.restart(!feature::BYPASS_CONFIG)?;
    reads(bench, before)?;
    bench.restart(u64::MAX)?;
    reads(bench, before)
}
