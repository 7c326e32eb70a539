//! Real tables say to the reader what they say to `iasl`.

use firmware::acpi::aml::{AmlDevice, Namespace, Resource, SpaceKind, Uid, read};

use crate::dsl;
use crate::fixtures::{DSDTS, Fixture, HOTPLUG, LOW_ECAM, NVDIMM_SSDT, PLAIN, PXB, TWO_PXB};
use crate::forge::{lines, paths};

/// A device's facts in the words of [`dsl::facts`].
fn facts(namespace: &Namespace) -> Vec<String> {
    let mut facts = Vec::new();
    for device in namespace.devices() {
        let mut fact = |what: &str, value: Option<String>| {
            facts.extend(value.map(|value| format!("{} {what} {value}", device.path)));
        };
        fact("_HID", device.hid.as_ref().map(|hid| format!("{hid:?}")));
        device.cids.iter().for_each(|cid| fact("_CID", Some(format!("{cid:?}"))));
        fact("_UID", device.uid.as_ref().map(uid));
        fact("_ADR", device.adr.map(|number| number.to_string()));
        fact("_BBN", device.bbn.map(|number| number.to_string()));
        fact("_SEG", device.seg.map(|number| number.to_string()));
        fact("_CCA", device.cca.map(|number| number.to_string()));
        fact("_STA", device.sta.map(|number| number.to_string()));
        device.crs.iter().for_each(|own| fact("_CRS", Some(resource(own))));
        device.unread.iter().for_each(|name| fact(name, Some(String::from("method"))));
        facts.push(device.path.clone());
    }
    facts
}

fn uid(uid: &Uid) -> String {
    match uid {
        Uid::Number(number) => number.to_string(),
        Uid::Text(text) => format!("{text:?}"),
    }
}

fn resource(resource: &Resource) -> String {
    match resource {
        Resource::Memory { range, writable } => format!(
            "memory {} {:#x} {}",
            range.start(),
            range.end().0 - range.start().0 + 1,
            if *writable { "rw" } else { "ro" }
        ),
        Resource::Interrupts(own) => {
            format!("interrupt {} {} {} {:?}", own.edge, own.active_low, own.shared, own.numbers)
        }
        Resource::Space(space) => {
            let kind = match space.kind {
                SpaceKind::Memory { caching, writable } => {
                    format!("memory {caching:?} {}", if writable { "rw" } else { "ro" })
                }
                SpaceKind::Io => String::from("io"),
                SpaceKind::Bus => String::from("bus"),
            };
            format!(
                "space {kind} {} {} {} {:#x} {:#x} {:#x}",
                if space.producer { "producer" } else { "consumer" },
                space.min_fixed,
                space.max_fixed,
                space.range.start(),
                space.range.end(),
                space.translation
            )
        }
        other => format!("{other:?}"),
    }
}

fn same_facts(fixture: &Fixture, namespace: &Namespace) {
    let mut ours = facts(namespace);
    // What a method gives is for other tests to say.
    let methods: Vec<String> = dsl::facts(fixture.dsl)
        .iter()
        .filter_map(|fact| fact.strip_suffix("method").map(String::from))
        .collect();
    ours.retain(|fact| !methods.iter().any(|method| fact.starts_with(method)));
    // That a template is there is said apart, for the empty one.
    let mut theirs: Vec<_> = dsl::facts(fixture.dsl)
        .into_iter()
        .filter(|fact| !fact.ends_with("_CRS") && !fact.ends_with("method"))
        .collect();
    assert!(theirs.len() > 5, "{}: {theirs:?}", fixture.name);
    let order = |facts: &[String]| -> Vec<String> {
        facts.iter().filter(|fact| !fact.contains(' ')).cloned().collect()
    };
    let mut devices = order(&ours);
    let mut their_devices = order(&theirs);
    devices.sort();
    their_devices.sort();
    assert_eq!(devices, their_devices, "{}", fixture.name);
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs, "{}", fixture.name);
}

#[test]
fn every_device_of_a_real_dsdt_is_as_iasl_says() {
    for fixture in DSDTS {
        same_facts(fixture, &read(&[fixture.aml]));
    }
}

#[test]
fn every_device_of_a_real_ssdt_is_as_iasl_says() {
    same_facts(&NVDIMM_SSDT, &read(&[NVDIMM_SSDT.aml]));
}

#[test]
fn order_is_that_of_definition() {
    for fixture in DSDTS.into_iter().filter(|fixture| fixture.name != "hotplug") {
        let theirs = dsl::facts(fixture.dsl).into_iter().filter(|fact| !fact.contains(' '));
        let theirs: Vec<_> = theirs.collect();
        assert_eq!(paths(&read(&[fixture.aml])), theirs, "{}", fixture.name);
    }
}

#[test]
fn real_tables_are_understood_without_findings() {
    for fixture in DSDTS.into_iter().filter(|fixture| fixture.name != "hotplug") {
        let namespace = read(&[fixture.aml]);
        assert_eq!(lines(namespace.findings()), [""; 0], "{}", fixture.name);
    }
}

#[test]
fn what_depends_on_operation_regions_is_said_once_and_counts_as_absent() {
    let namespace = read(&[HOTPLUG.aml, NVDIMM_SSDT.aml]);
    let lines = lines(namespace.findings());
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        lines[0].starts_with("aml-unknown \\_SB.MHPC.MP00") && lines[0].contains("to 1 more"),
        "{lines:#?}"
    );
    let memory = namespace.device("\\_SB.MHPC.MP01").unwrap();
    assert_eq!((memory.unread.as_slice(), memory.is_reached), (["_STA"].as_slice(), false));
    assert!(namespace.device("\\_SB.MHPC").is_some_and(|device| device.sta == Some(0xb)));
    assert!(namespace.device("\\_SB.NVDR.NV01").is_some_and(|device| device.table == "SSDT 1"));
}

fn bridge<'n>(namespace: &'n Namespace, path: &str) -> &'n AmlDevice {
    namespace.device(path).unwrap()
}

/// First bus, and each window with what the CPU adds.
fn windows(device: &AmlDevice) -> Vec<(u64, u64, u64)> {
    let spaces = device.crs.iter().filter_map(|resource| match resource {
        Resource::Space(space) => Some((space.range.start(), space.range.end(), space.translation)),
        _ => None,
    });
    spaces.collect()
}

#[test]
fn host_bridges_have_their_buses_and_windows() {
    let plain = read(&[PLAIN.aml]);
    let root = bridge(&plain, "\\_SB.PCI0");
    assert_eq!((root.hid.as_deref(), root.has_id("PNP0A03")), (Some("PNP0A08"), true));
    let low = [(0x1000_0000, 0x3efe_ffff, 0), (0, 0xffff, 0x3eff_0000)];
    assert_eq!(windows(root), [(0, 0xff, 0), low[0], low[1], (0x80_0000_0000, 0xff_ffff_ffff, 0)]);

    let pxb = read(&[PXB.aml]);
    let (extra, root) = (bridge(&pxb, "\\_SB.PC40"), bridge(&pxb, "\\_SB.PCI0"));
    assert_eq!((extra.bbn, extra.seg, extra.cca), (Some(0x40), None, Some(1)));
    assert_eq!((windows(extra)[0], windows(root)[0]), ((0x40, 0x40, 0), (0, 0x3f, 0)));

    let two = read(&[TWO_PXB.aml]);
    let ids: Vec<_> = two.devices().iter().filter(|device| device.has_id("PNP0A08")).collect();
    let ids: Vec<_> = ids.iter().map(|device| (device.path.as_str(), device.bbn)).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.contains(&("\\_SB.PC80", Some(0x80))), "{ids:?}");

    let low_ecam = read(&[LOW_ECAM.aml]);
    assert_eq!(windows(bridge(&low_ecam, "\\_SB.PCI0"))[1..], low);
    assert_eq!(windows(bridge(&low_ecam, "\\_SB.PCI0.RES0")), [(0x3f00_0000, 0x3fff_ffff, 0)]);
    let parent = bridge(&low_ecam, "\\_SB.PCI0.RES0").parent.unwrap();
    assert_eq!(low_ecam.devices()[parent].path, "\\_SB.PCI0");
}
