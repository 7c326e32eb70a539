//! A device tree as a machine.

use std::collections::BTreeMap;

use addr::RequesterId;
use firmware::device_tree::{DeviceTreeMap, Inspection, IommuEntry, IommuNode, IommuProperty, inspect};
use probe::{FirmwareMap as _, FwNode, InputIds, MapError, Translation, Untranslated};

use super::machine::{Entry, Finding, HostBridge, Iommu, Machine, Number, Offset, TRANSLATED, severity};

/// What Linux's drivers for Arm's SMMUs of versions 1 and 2 are bound to (`arm_smmu_of_match`).
const SMMU: [&str; 8] = [
    "arm,smmu-v1",
    "arm,smmu-v2",
    "arm,mmu-400",
    "arm,mmu-401",
    "arm,mmu-500",
    "cavium,smmu-v2",
    "nvidia,smmu-500",
    "qcom,smmu-v2",
];
/// The same for version 3 (`arm_smmu_of_match` of `arm-smmu-v3.c`).
const SMMU_V3: &str = "arm,smmu-v3";
/// A virtio-iommu, as a function and on a platform bus.
const VIRTIO: [&str; 2] = ["virtio,pci-iommu", "pci1af4,1057"];

/// The words for an entry that has no effect because of its device.
const DISABLED: &str = "not used: the device is disabled";

/// What a blob describes; an error of its format is the only finding then.
pub(super) fn machine(name: &str, blob: &[u8]) -> Machine {
    match inspect(blob) {
        Ok(inspection) => of_inspection(name, &inspection),
        Err(error) => {
            let finding = Finding {
                id: "device-tree-malformed",
                severity: "error",
                place: name.to_owned(),
                file: None,
                offset: error.offset().map(Offset),
                sentence: error.to_string(),
            };
            let content = "device tree, not read".into();
            let (iommus, host_bridges) = (Vec::new(), Vec::new());
            Machine { name: name.to_owned(), content, iommus, host_bridges, findings: vec![finding] }
        }
    }
}

fn of_inspection(name: &str, inspection: &Inspection) -> Machine {
    let map = &inspection.map;
    let mut iommus: BTreeMap<FwNode, Iommu> =
        inspection.iommus.iter().map(|node| (node.node, iommu(map, node))).collect();
    let mut findings: Vec<Finding> = inspection.findings.iter().map(finding).collect();
    for property in &inspection.properties {
        for (number, entry) in property.entries.iter().enumerate() {
            if let Some(iommu) = iommus.get_mut(&entry.iommu) {
                let entry = of_entry(map, iommu, property, number, entry);
                iommu.entries.push(entry);
            }
        }
        findings.extend(difference_of_forms(inspection, property));
    }
    let stub = if inspection.is_stub { ", a stub: Linux uses ACPI tables beside it" } else { "" };
    let content = format!("device tree, {} nodes, {} bytes{stub}", map.node_count(), inspection.size);
    let host_bridges = inspection.host_bridges.iter().map(|bridge| HostBridge {
        name: map.name(bridge.node),
        segment: Number(bridge.segment.into()),
        buses: [bridge.first_bus, bridge.last_bus].map(|bus| Number(bus.into())),
        linux: first_function(map, bridge),
    });
    let host_bridges = host_bridges.collect();
    Machine { name: name.to_owned(), content, iommus: iommus.into_values().collect(), host_bridges, findings }
}

fn first_function(map: &DeviceTreeMap, bridge: &firmware::HostBridge) -> String {
    let first = RequesterId(u16::from(bridge.first_bus) << 8);
    let answer = map.translate(bridge.node, &InputIds::Requesters(vec![first]));
    answer_in_words(&answer, |node| map.name(node))
}

/// Where an ID leads, or why nowhere.
pub(super) fn answer_in_words(
    answer: &Result<Translation, MapError>,
    name: impl Fn(FwNode) -> String,
) -> String {
    match answer {
        Ok(Translation::Endpoints(references)) => {
            let words = references.iter().map(|one| format!("{:#x} at {}", one.endpoint.0, name(one.iommu)));
            words.collect::<Vec<_>>().join(", ")
        }
        Ok(Translation::Nowhere(why)) => format!("not translated: {}", reason(*why)),
        Err(error) => format!("not translated: {}", error.finding.id),
    }
}

fn reason(why: Untranslated) -> &'static str {
    match why {
        Untranslated::NotInMap => "not in the firmware's map",
        Untranslated::BusBypasses => "bus bypasses",
        Untranslated::Disabled(_) => "the IOMMU is disabled",
        Untranslated::NoIommu => "there is no IOMMU",
        Untranslated::BehindIt(_) => "the IOMMU is behind it",
    }
}

fn finding(located: &firmware::device_tree::Located) -> Finding {
    let finding = &located.finding;
    Finding {
        id: finding.id,
        severity: severity(finding.severity),
        place: finding.place.clone(),
        file: None,
        offset: located.offset.map(Offset),
        sentence: finding.sentence.clone(),
    }
}

fn iommu(map: &DeviceTreeMap, node: &IommuNode) -> Iommu {
    let kind: Vec<String> = map.compatible(node.node).map(String::from).collect();
    let is = |names: &[&str]| kind.iter().any(|own| names.contains(&own.as_str()));
    let id_word = if is(&SMMU) || is(&[SMMU_V3]) {
        "stream ID"
    } else if is(&VIRTIO) {
        "endpoint ID"
    } else {
        "ID"
    };
    let offset = Some(Offset(node.offset));
    Iommu {
        name: map.name(node.node),
        kind,
        file: None,
        offset,
        enabled: node.is_live,
        id_word,
        entries: Vec::new(),
    }
}

fn of_entry(
    map: &DeviceTreeMap,
    iommu: &Iommu,
    property: &IommuProperty,
    number: usize,
    entry: &IommuEntry,
) -> Entry {
    // The driver reads a second cell as a mask (`arm_smmu_of_xlate`).
    let has_mask = iommu.kind.iter().any(|own| SMMU.contains(&own.as_str())) && entry.specifier.len() == 2;
    let first = entry.specifier.first().copied().unwrap_or_default();
    let length = entry.input.map_or(1, |(_, length)| length);
    let is_range = entry.specifier.len() == 1 || has_mask || length <= 1;
    let last = |first: u32| {
        if entry.specifier.is_empty() { first } else { first.wrapping_add(length.saturating_sub(1)) }
    };
    Entry {
        device: map.name(property.node),
        input: entry
            .input
            .map(|(base, length)| [base, base.wrapping_add(length.saturating_sub(1))].map(Number)),
        ids: is_range.then(|| [first, last(first)].map(Number)),
        cells: entry.specifier.iter().copied().map(Number).collect(),
        mask: has_mask.then(|| Number(entry.specifier[1])),
        place: format!("{}[{number}]", property.name),
        offset: Offset(entry.offset),
        linux: of_linux(map, property, entry),
    }
}

/// What Linux makes of an entry.
fn of_linux(map: &DeviceTreeMap, property: &IommuProperty, entry: &IommuEntry) -> String {
    if !property.is_live {
        return DISABLED.into();
    }
    let ids = match entry.input {
        None => InputIds::Node,
        Some((_, 0)) => return "not used: the entry is empty".into(),
        Some((base, _)) => match u16::try_from(base) {
            Ok(base) => InputIds::Requesters(vec![RequesterId(base)]),
            Err(_) => return "not used: no input ID is so large".into(),
        },
    };
    let first = entry.specifier.first().copied().unwrap_or_default();
    match map.translate(property.node, &ids) {
        Ok(Translation::Endpoints(found))
            if found.iter().any(|one| (one.iommu, one.endpoint.0) == (entry.iommu, first)) =>
        {
            TRANSLATED.into()
        }
        Ok(Translation::Endpoints(_)) => "not used: an earlier entry contains its first ID".into(),
        answer => answer_in_words(&answer, |node| map.name(node)),
    }
}

/// An `iommu-map` that Linux 7.1 and older read otherwise: for these, every entry has four cells.
fn difference_of_forms(inspection: &Inspection, property: &IommuProperty) -> Option<Finding> {
    if !property.is_live {
        return None;
    }
    let is_otherwise = |entry: &&IommuEntry| {
        let base = entry.input.and_then(|(base, _)| u16::try_from(base).ok());
        base.is_some_and(|base| {
            let ids = InputIds::Requesters(vec![RequesterId(base)]);
            let answer = |map: &DeviceTreeMap| map.translate(property.node, &ids);
            match (answer(&inspection.map), answer(&inspection.map_of_four_cells)) {
                (Ok(now), Ok(before)) => now != before,
                (now, before) => now.is_ok() != before.is_ok(),
            }
        })
    };
    let entry = property.entries.iter().find(is_otherwise)?;
    let (base, _) = entry.input?;
    let ids = InputIds::Requesters(vec![RequesterId(base as u16)]);
    let before = inspection.map_of_four_cells.translate(property.node, &ids);
    let name = |node| inspection.map.name(node);
    Some(Finding {
        id: "iommu-map-form",
        severity: "info",
        place: format!("{}:{}", name(property.node), property.name),
        file: None,
        offset: Some(Offset(entry.offset)),
        sentence: format!(
            "Linux 7.1 and older read four cells per entry, whatever #iommu-cells is; input ID {base:#x} is then {}",
            answer_in_words(&before, name)
        ),
    })
}
