//! What was found, for people.

use std::fmt::Write as _;

use super::Checked;
use super::machine::{Entry, Finding, Iommu, Machine, Number, TRANSLATED};

/// All machines, and the verdict.
pub(super) fn text(checked: &Checked) -> String {
    let mut text = String::new();
    for machine in &checked.machines {
        of_machine(machine, &mut text);
    }
    // Writing to a text does not fail.
    if !checked.ignored.is_empty() {
        let _ = writeln!(text, "{} other files are neither trees nor tables", checked.ignored.len());
    }
    let (machines, errors, warnings) = (checked.machines.len(), checked.errors, checked.warnings);
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{}: {}, {}, {}",
        checked.outcome.to_uppercase(),
        plural(machines, "machine"),
        plural(errors, "error"),
        plural(warnings, "warning")
    );
    text
}

fn of_machine(machine: &Machine, text: &mut String) {
    let _ = writeln!(text, "{}: {}", machine.name, machine.content);
    if machine.iommus.is_empty() && !machine.content.ends_with("not read") {
        let _ = writeln!(text, "  no IOMMU");
    }
    for iommu in &machine.iommus {
        of_iommu(iommu, text);
    }
    for bridge in &machine.host_bridges {
        let [first, last] = bridge.buses;
        let _ = writeln!(
            text,
            "  host bridge {}: segment {}, buses {first}-{last}; first requester ID: {}",
            bridge.name, bridge.segment, bridge.linux
        );
    }
    for finding in &machine.findings {
        let _ = writeln!(text, "  {}", of_finding(finding));
    }
}

fn of_iommu(iommu: &Iommu, text: &mut String) {
    let kind = if iommu.kind.is_empty() { String::new() } else { format!(" ({})", iommu.kind.join(", ")) };
    let offset = iommu.offset.map(|offset| format!(", {offset}")).unwrap_or_default();
    let state = if iommu.enabled { "" } else { ", disabled or not found" };
    let nothing = if iommu.entries.is_empty() { ", translates no device" } else { "" };
    let _ = writeln!(text, "  IOMMU {}{kind}{offset}{state}{nothing}", iommu.name);
    let width = iommu.entries.iter().map(|entry| entry.device.len()).max().unwrap_or_default().min(60);
    for entry in &iommu.entries {
        let _ = writeln!(text, "    {}", of_entry(entry, iommu.id_word, width));
    }
}

/// `/pcie@10000000  0x0-0xffff -> stream IDs 0x0-0xffff  iommu-map[0], byte 0x1234`
fn of_entry(entry: &Entry, id_word: &str, width: usize) -> String {
    let range = |[first, last]: [Number; 2]| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let input = entry.input.map(|input| format!("{} -> ", range(input))).unwrap_or_default();
    let cells = || entry.cells.iter().map(Number::to_string).collect::<Vec<_>>().join(" ");
    let ids = match entry.ids {
        _ if entry.mask.is_none() && entry.cells.len() > 1 => format!("cells <{}>", cells()),
        Some([first, last]) if first != last => format!("{id_word}s {}", range([first, last])),
        Some(_) if entry.cells.is_empty() && entry.input.is_none() && id_word == "ID" => "its only ID".into(),
        Some([first, _]) => format!("{id_word} {first}"),
        None => format!("cells <{}>", cells()),
    };
    let mask = entry.mask.map(|mask| format!(" mask {mask}")).unwrap_or_default();
    let linux = if entry.linux == TRANSLATED { String::new() } else { format!("; {}", entry.linux) };
    format!("{:<width$}  {input}{ids}{mask}  {}, {}{linux}", entry.device, entry.place, entry.offset)
}

/// `severity[id] place (file, byte 0x1234): what; consequence`
fn of_finding(finding: &Finding) -> String {
    let file = finding.file.as_ref().filter(|file| !finding.place.starts_with(file.as_str()));
    let offset = finding.offset.map(|offset| offset.to_string());
    let offset = offset.filter(|offset| !finding.place.contains(offset.as_str()));
    let more: Vec<String> = file.cloned().into_iter().chain(offset).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("{}[{}] {}{more}: {}", finding.severity, finding.id, finding.place, finding.sentence)
}
