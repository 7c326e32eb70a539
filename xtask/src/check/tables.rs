//! ACPI tables as a machine.

use addr::RequesterId;
use firmware::acpi::{AcpiMap, Arena, EntrySubject, Inspection, TableEntry, Tables, inspect, is_read};
use probe::{FirmwareMap as _, FwNode, InputIds, MapError, Translation};

use super::machine::{Entry, Finding, HostBridge, Iommu, Machine, Number, Offset, TRANSLATED, severity};
use super::tree::answer_in_words;

#[path = "../../../kernel/src/input/acpi_handler.rs"]
mod acpi_handler;

/// Where the length and the checksum are in a table's header (ACPI 6.5, section 5.2.6).
const LENGTH: usize = 4;
const CHECKSUM: usize = 9;

/// What tables describe: each with the name of its file.
pub(super) fn machine(name: &str, files: &[(String, Vec<u8>)]) -> Machine {
    let tables = Tables::of_files(files);
    let arena = Arena::new(&tables);
    let read = acpi_handler::open(&arena).map_err(|error| format!("{error:?}"));
    let read = read.and_then(|opened| inspect(&tables, &opened).map_err(|error| error.to_string()));
    match read {
        Ok(inspection) => of_inspection(name, files, &tables, inspection),
        Err(error) => Machine::unreadable(name, &error),
    }
}

fn of_inspection(
    name: &str,
    files: &[(String, Vec<u8>)],
    tables: &Tables,
    inspection: Inspection,
) -> Machine {
    let map = &inspection.map;
    let mut iommus: Vec<((&str, usize), Iommu)> = map
        .iommus()
        .map(|(node, table, offset)| {
            let iommu = Iommu {
                name: node.map_or_else(
                    || format!("{} node at {offset:#x}", table.to_uppercase()),
                    |node| map.name(node),
                ),
                kind: vec![table.to_uppercase()],
                file: file_of(files, table),
                offset: Some(Offset(offset)),
                enabled: node.is_some(),
                id_word: if table == "iort" { "stream ID" } else { "endpoint ID" },
                entries: Vec::new(),
            };
            ((table, offset), iommu)
        })
        .collect();
    for entry in &inspection.entries {
        let place = (entry.table, entry.iommu_offset);
        if let Some((_, iommu)) = iommus.iter_mut().find(|(own, _)| *own == place) {
            iommu.entries.push(of_entry(map, &inspection, entry));
        }
    }
    let mut findings: Vec<Finding> = inspection.findings.iter().map(|one| finding(files, one)).collect();
    if inspection.is_cut {
        findings.push(Finding {
            id: "iort-too-large",
            severity: "warning",
            place: "IORT".into(),
            file: file_of(files, "iort"),
            offset: None,
            sentence: "there are more ID mappings than are followed; the list of entries is not complete"
                .into(),
        });
    }
    // Files alone may be a part of a machine's tables.
    if tables.first(*b"DSDT").is_none() {
        findings.retain(|finding| finding.id != "acpi-table-missing");
    }
    let host_bridges = inspection.host_bridges.iter().map(|bridge| {
        let first = RequesterId(u16::from(bridge.first_bus) << 8);
        let answer = map.translate(bridge.node, &InputIds::Requesters(vec![first]));
        HostBridge {
            name: map.name(bridge.node),
            segment: Number(bridge.segment.into()),
            buses: [bridge.first_bus, bridge.last_bus].map(|bus| Number(bus.into())),
            linux: answer_in_words(&answer, |node| map.name(node)),
        }
    });
    let host_bridges = host_bridges.collect();
    let names = |read: bool| {
        let of_kind = tables.all().iter().filter(|table| is_read(table.signature) == read);
        of_kind.map(firmware::acpi::Table::name).collect::<Vec<_>>().join(" ")
    };
    let unused = names(false);
    let unused = if unused.is_empty() { String::new() } else { format!("; not needed: {unused}") };
    let content = format!("ACPI tables: {}{unused}", names(true));
    let iommus = iommus.into_iter().map(|(_, iommu)| iommu).collect();
    Machine { name: name.to_owned(), content, iommus, host_bridges, findings }
}

fn of_entry(map: &AcpiMap, inspection: &Inspection, entry: &TableEntry) -> Entry {
    let (device, input) = match &entry.subject {
        EntrySubject::Requesters { segments: (first, last), ids } if first == last => {
            (format!("PCI segment {first:#x}"), Some([ids.0, ids.1].map(Number)))
        }
        EntrySubject::Requesters { segments: (first, last), ids } => {
            (format!("PCI segments {first:#x}-{last:#x}"), Some([ids.0, ids.1].map(Number)))
        }
        EntrySubject::Device(path) => (path.clone(), None),
        EntrySubject::Registers(base) => (format!("device at {base}"), None),
    };
    Entry {
        device,
        input,
        ids: Some([entry.ids.0, entry.ids.1].map(Number)),
        cells: Vec::new(),
        mask: None,
        place: entry.table.to_uppercase(),
        offset: Offset(entry.offset),
        linux: of_linux(map, inspection, entry),
    }
}

/// What Linux makes of an entry: its devices have to exist and to do DMA.
fn of_linux(map: &AcpiMap, inspection: &Inspection, entry: &TableEntry) -> String {
    let is_here = |answer: &Result<Translation, MapError>| {
        let Ok(Translation::Endpoints(found)) = answer else { return false };
        found.iter().any(|one| {
            Some(one.iommu) == entry.iommu && (entry.ids.0..=entry.ids.1).contains(&one.endpoint.0)
        })
    };
    let answers: Vec<Result<Translation, MapError>> = match &entry.subject {
        EntrySubject::Requesters { segments, ids } => {
            let of_segment =
                |bridge: &&firmware::HostBridge| (segments.0..=segments.1).contains(&bridge.segment);
            let bridges = inspection.host_bridges.iter().filter(of_segment);
            let first = bridges.filter_map(|bridge| {
                let buses = (u32::from(bridge.first_bus) << 8, u32::from(bridge.last_bus) << 8 | 0xff);
                let first = ids.0.max(buses.0);
                let requester = u16::try_from(first).ok().filter(|_| first <= ids.1.min(buses.1))?;
                Some(map.translate(bridge.node, &InputIds::Requesters(vec![RequesterId(requester)])))
            });
            first.collect()
        }
        EntrySubject::Device(path) => {
            node_named(map, path).map(|node| of_node(map, node)).into_iter().collect()
        }
        EntrySubject::Registers(_) => {
            let nodes = inspection.platform_devices.iter().map(|device| device.node);
            nodes.map(|node| of_node(map, node)).filter(|answer| is_here(answer)).collect()
        }
    };
    match answers.iter().find(|answer| is_here(answer)).or(answers.first()) {
        None => "not used: there is no such device among the tables that were given".into(),
        Some(answer) if is_here(answer) => TRANSLATED.into(),
        Some(Ok(Translation::Endpoints(_))) => "not used: another entry counts".into(),
        Some(answer) => answer_in_words(answer, |node| map.name(node)),
    }
}

fn of_node(map: &AcpiMap, node: FwNode) -> Result<Translation, MapError> {
    map.translate(node, &InputIds::Node)
}

fn node_named(map: &AcpiMap, path: &str) -> Option<FwNode> {
    (0..map.node_count()).map(FwNode).find(|node| map.name(*node) == path)
}

/// The file of the first table with this signature.
fn file_of(files: &[(String, Vec<u8>)], signature: &str) -> Option<String> {
    let is_it =
        |bytes: &[u8]| bytes.get(..4).is_some_and(|own| own.eq_ignore_ascii_case(signature.as_bytes()));
    files.iter().find(|(_, bytes)| is_it(bytes)).map(|(name, _)| name.clone())
}

fn finding(files: &[(String, Vec<u8>)], finding: &probe::Finding) -> Finding {
    let (file, offset) = located(files, finding);
    Finding {
        id: finding.id,
        severity: severity(finding.severity),
        place: finding.place.clone(),
        file,
        offset: offset.map(Offset),
        sentence: finding.sentence.clone(),
    }
}

/// The file and the byte of a place: `IORT node at 0x30`, `\_SB.PCI0 (DSDT, byte 0x40)`, or a file.
fn located(files: &[(String, Vec<u8>)], finding: &probe::Finding) -> (Option<String>, Option<usize>) {
    let place = &finding.place;
    if let Some((name, _)) = files.iter().find(|(name, _)| place.starts_with(name.as_str())) {
        let field = match finding.id {
            "acpi-table-length" => Some(LENGTH),
            "acpi-table-checksum" => Some(CHECKSUM),
            _ => None,
        };
        return (Some(name.clone()), field);
    }
    let words = place.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() == 4);
    let Some(file) = words.filter_map(|word| file_of(files, word)).next() else { return (None, None) };
    let digits = ["node at 0x", "entry at 0x", "byte 0x"].iter().find_map(|before| place.split_once(before));
    let offset = digits.and_then(|(_, rest)| {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        usize::from_str_radix(&rest[..end], 16).ok()
    });
    (Some(file), offset)
}
