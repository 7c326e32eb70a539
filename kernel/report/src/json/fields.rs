//! The fields of the report's types, in the order and under the conditions of their serde attributes.
//!
//! Each type is taken apart completely, so that a new field cannot be forgotten here.

use super::writer::Writer;
use crate::{
    Acs, Device, Finding, Group, Invariant, Iommu, IommuState, Report, ReservedRegion, Run, Timing,
    Translation, Verdict, VirtualFunctions,
};

pub(super) fn report(json: &mut Writer, report: &Report) {
    let Report {
        schema,
        run,
        iommus,
        groups,
        devices,
        warnings,
        findings,
        invariants,
        two_cpus,
        race,
        operations,
        hot_plug,
        dma,
        explained,
        suites,
        map_speed,
        timing_us,
        result,
        failed_because,
        error,
    } = report;
    json.text("schema", schema);
    json.inner("run", run, how_it_was_started);
    json.list("iommus", iommus, iommu);
    json.list("groups", groups, group);
    json.list("devices", devices, device);
    json.texts("warnings", warnings);
    json.list("findings", findings, finding);
    json.list("invariants", invariants, invariant);
    json.rare("two_cpus", two_cpus.as_ref());
    json.rare("race", race.as_ref());
    json.rare("operations", Some(operations).filter(|operations| !operations.is_empty()));
    json.rare("hot_plug", Some(hot_plug).filter(|changes| !changes.is_empty()));
    json.rare("dma", Some(dma).filter(|dma| !dma.is_empty()));
    json.rare("explained", Some(explained).filter(|explained| !explained.is_empty()));
    json.rare("suites", Some(suites).filter(|suites| !suites.is_empty()));
    json.rare("map_speed", map_speed.as_ref());
    json.inner("timing_us", timing_us, |json, Timing { total }| json.number("total", *total));
    json.text(
        "result",
        match result {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Error => "error",
        },
    );
    json.texts_if_any("failed_because", failed_because);
    json.text_if_some("error", error.as_ref());
}

fn how_it_was_started(json: &mut Writer, run: &Run) {
    let Run { firmware, path, cmdline, exception_level, cpus, memory_bytes, order } = run;
    json.text("firmware", firmware);
    json.text("path", path);
    json.text("cmdline", cmdline);
    json.number("exception_level", (*exception_level).into());
    json.number("cpus", (*cpus).into());
    json.number("memory_bytes", *memory_bytes);
    json.text_if_some("order", order.as_ref());
}

fn iommu(json: &mut Writer, iommu: &Iommu) {
    let Iommu { name, driver, transport, state, page_size_mask, input_range, domain_range, bypass, devices } =
        iommu;
    json.text("name", name);
    json.text("driver", driver);
    json.text("transport", transport);
    json.text(
        "state",
        match state {
            IommuState::Published => "published",
            IommuState::Ready => "ready",
            IommuState::Unregistered => "unregistered",
            IommuState::Dead => "dead",
        },
    );
    json.text("page_size_mask", page_size_mask);
    json.texts("input_range", input_range);
    json.texts("domain_range", domain_range);
    json.flag("bypass", *bypass);
    json.texts("devices", devices);
}

fn group(json: &mut Writer, group: &Group) {
    let Group { id, kind, reserved_regions, devices } = group;
    json.number("id", (*id).into());
    json.text("type", kind.word());
    json.list("reserved_regions", reserved_regions, |json, region| {
        let ReservedRegion { start, end, kind } = region;
        json.text("start", start);
        json.text("end", end);
        json.text("type", kind);
    });
    json.texts("devices", devices);
}

fn device(json: &mut Writer, device: &Device) {
    let Device {
        name,
        bus,
        id,
        class,
        kind,
        driver,
        group,
        iommu,
        endpoints,
        source,
        translations,
        trigger,
        why,
        isolation_lost,
        secondary_bus,
        physfn,
        vfs,
        untrusted,
        acs,
    } = device;
    json.text("name", name);
    json.text("bus", bus);
    json.text("id", id);
    json.text_if_some("class", class.as_ref());
    json.text("kind", kind);
    json.text_or_null("driver", driver.as_ref());
    json.number_or_null("group", group.map(u64::from));
    json.text_if_some("iommu", iommu.as_ref());
    json.texts_if_any("endpoints", endpoints);
    json.text_if_some("source", source.as_ref());
    if !translations.is_empty() {
        json.list("translations", translations, |json, translation| {
            let Translation { iommu, endpoints, source } = translation;
            json.text("iommu", iommu);
            json.texts("endpoints", endpoints);
            json.text("source", source);
        });
    }
    json.text_if_some("trigger", trigger.as_ref());
    json.text("why", why);
    json.flag_if_set("isolation_lost", *isolation_lost);
    json.text_if_some("secondary_bus", secondary_bus.as_ref());
    json.text_if_some("physfn", physfn.as_ref());
    if let Some(vfs) = vfs {
        json.inner("vfs", vfs, |json, VirtualFunctions { enabled, total }| {
            json.number("enabled", (*enabled).into());
            json.number("total", (*total).into());
        });
    }
    json.flag_if_set("untrusted", *untrusted);
    if let Some(acs) = acs {
        json.inner("acs", acs, |json, Acs { capability, control }| {
            json.text("capability", capability);
            json.text("control", control);
        });
    }
}

fn finding(json: &mut Writer, finding: &Finding) {
    let Finding { id, severity, device, sentence } = finding;
    json.text("id", id);
    json.text("severity", severity.word());
    json.text("device", device);
    json.text("sentence", sentence);
}

fn invariant(json: &mut Writer, invariant: &Invariant) {
    let Invariant { id, holds, broken_by } = invariant;
    json.text("id", id);
    json.flag("holds", *holds);
    json.text_if_some("broken_by", broken_by.as_ref());
}
