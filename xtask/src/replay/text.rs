//! What people see of a replay: the paths side by side, or below each other where the terminal is narrow.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use scenario::{Scenario, Step};

use super::trace::{Replay, list};
use crate::scenarios::Named;

/// A replay, and what is not as expected.
type Judged = (Replay, Vec<String>);

/// Columns of a terminal that the paths need side by side.
const WIDE: u16 = 132;

/// Columns of text that is not for a terminal.
const UNKNOWN_WIDTH: u16 = 150;

/// One scenario in full.
pub(super) fn of_one(named: &Named, replays: &[Judged]) -> String {
    let short = Short::of(&named.scenario);
    let mut text = format!("{}: {}\n", named.name, named.scenario.about);
    if !named.scenario.source.is_empty() {
        // Writing to a text does not fail.
        let _ = writeln!(text, "Source: {}", named.scenario.source);
    }
    let _ = writeln!(text, "\n{}", machine(&named.scenario, &short));
    let replays: Vec<&Judged> = replays.iter().collect();
    if width() >= WIDE || replays.len() == 1 {
        let _ = writeln!(text, "{}", side_by_side(&replays, &short));
    } else {
        for replay in &replays {
            let _ = writeln!(text, "{}", side_by_side(&[replay], &short));
        }
    }
    text.push_str(&without_group(&replays, &short));
    text.push_str(&broken(&replays, &short));
    for (replay, differences) in replays {
        for difference in differences {
            let _ = writeln!(text, "NOT AS EXPECTED  {}: {difference}", replay.path);
        }
    }
    text
}

/// A line for each scenario: which paths break what.
pub(super) fn of_all(judged: &[(&Named, Vec<Judged>)]) -> String {
    let mut table = new_table();
    let mut head = vec!["scenario".to_owned(), "what it shows".to_owned()];
    if let Some((_, replays)) = judged.first() {
        head.extend(replays.iter().map(|(replay, _)| replay.path.to_string()));
    }
    table.set_header(head);
    let mut differences_of_all = String::new();
    for (named, replays) in judged {
        let mut row = vec![named.name.clone(), named.scenario.about.clone()];
        for (replay, differences) in replays {
            row.push(verdict(&named.scenario, replay));
            for difference in differences {
                let _ = writeln!(
                    differences_of_all,
                    "NOT AS EXPECTED  {} on {}: {difference}",
                    named.name, replay.path
                );
            }
        }
        table.add_row(row);
    }
    let note =
        "Invariants that the steps break on each path; in brackets those that another order of them does.\n";
    format!("{table}\n{note}{differences_of_all}")
}

fn verdict(scenario: &Scenario, replay: &Replay) -> String {
    let broken = replay.broken();
    let expect = scenario.expect.get(replay.path.word());
    let some = expect.and_then(|expect| expect.some_order_breaks.as_ref()).into_iter().flatten();
    let more = some.map(String::as_str).filter(|id| !broken.contains(id)).collect();
    match (broken.is_empty(), list(&more)) {
        (true, none) if none == "none" => "-".into(),
        (false, none) if none == "none" => list(&broken),
        (true, more) => format!("({more})"),
        (false, more) => format!("{} ({more})", list(&broken)),
    }
}

/// Devices as firmware and drivers see them.
fn machine(scenario: &Scenario, short: &Short) -> String {
    let mut text = format!(
        "Machine ({})\n",
        match scenario.firmware {
            scenario::Firmware::Dt => "device tree",
            scenario::Firmware::Acpi => "ACPI",
        }
    );
    for device in &scenario.devices {
        let is_pci = device.name.contains(':');
        let kind = device.kind.clone().or_else(|| is_pci.then(|| "conventional".to_owned()));
        let mut words = vec![kind.unwrap_or_else(|| "platform device".into())];
        if let Some((first, last)) = device.buses {
            words.push(if first == last {
                format!("to bus {first:02x}")
            } else {
                format!("to buses {first:02x}-{last:02x}")
            });
        }
        words.extend(device.host_bridge.map(|segment| format!("host bridge of segment {segment:#x}")));
        words.extend(device.acs.then(|| "ACS".to_owned()));
        words.extend(device.multifunction.then(|| "multifunction".to_owned()));
        if let Some(iommu) = &device.iommu {
            words.push("IOMMU".into());
            words.extend(iommu.without_node.then(|| "without firmware node".to_owned()));
            words.extend(iommu.disabled.then(|| "disabled".to_owned()));
            words
                .extend(iommu.unknown.iter().map(|endpoint| format!("does not know endpoint {endpoint:#x}")));
        }
        words.extend(
            device
                .iommus
                .iter()
                .map(|(iommu, endpoint)| format!("endpoint {endpoint:#x} of {}", short.of_text(iommu))),
        );
        words.extend(device.driver.as_ref().map(|driver| format!("for {driver}")));
        let _ = writeln!(text, "  {:10} {}", short.of_text(&device.name), words.join(", "));
    }
    for map in &scenario.maps {
        let (first, last) = map.ids;
        let iommu = short.of_text(&map.iommu);
        let segment = if map.segment == 0 { String::new() } else { format!("segment {:#x}, ", map.segment) };
        let _ = writeln!(
            text,
            "  {segment}requester IDs {first:#06x} to {last:#06x}: {iommu}, endpoints from {:#x}",
            map.base
        );
    }
    text
}

fn side_by_side(replays: &[&Judged], short: &Short) -> Table {
    let mut table = new_table();
    let mut head = vec![String::new(), "step".to_owned()];
    head.extend(replays.iter().map(|(replay, _)| replay.path.to_string()));
    table.set_header(head);
    let longest = replays.iter().map(|(replay, _)| replay.taken.len()).max().unwrap_or(0);
    for place in 0..longest {
        let step = replays.iter().find_map(|(replay, _)| replay.taken.get(place)).map(|taken| &taken.step);
        let mut row = vec![
            (place + 1).to_string(),
            step.map_or(String::new(), |step| short.of_text(&step.to_string())),
        ];
        row.extend(replays.iter().map(|(replay, _)| cell(replay, place, short)));
        table.add_row(row);
    }
    let mut last = vec![String::new(), "groups".to_owned()];
    last.extend(replays.iter().map(|(replay, _)| groups(replay, short)));
    table.add_row(last);
    table
}

/// What one path did in one step.
fn cell(replay: &Replay, place: usize, short: &Short) -> String {
    let Some(taken) = replay.taken.get(place) else { return String::new() };
    let mut lines: Vec<String> = Vec::new();
    match &taken.impossible {
        Some(why) if why.is_empty() => lines.push("-".into()),
        Some(why) => lines.push(format!("(not possible: {why})")),
        None if matches!(taken.step, Step::Go(..)) => lines.push(format!("[{}]", taken.piece)),
        None => {}
    }
    // That a device was added is the step itself.
    let is_news = |event: &&String| **event != taken.step.to_string().replacen("add ", "added ", 1);
    lines.extend(taken.events.iter().filter(is_news).map(|event| short.of_text(event)));
    lines.extend(
        replay
            .breaks
            .iter()
            .filter(|broken| broken.at == place)
            .map(|broken| format!("VIOLATES {}", broken.id)),
    );
    lines.join("\n")
}

fn groups(replay: &Replay, short: &Short) -> String {
    if replay.groups.is_empty() {
        return "none".into();
    }
    let group = |(id, members): &(u32, Vec<String>)| {
        let members: Vec<String> = members.iter().map(|name| short.of_text(name)).collect();
        format!("{id}: {}", members.join(" "))
    };
    replay.groups.iter().map(group).collect::<Vec<_>>().join("\n")
}

/// Devices and reasons, each with the paths on which it is so.
fn without_group(replays: &[&Judged], short: &Short) -> String {
    let mut paths: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (replay, _) in replays {
        for (device, reason) in &replay.without {
            paths.entry((device, reason)).or_default().push(replay.path.word());
        }
    }
    if paths.is_empty() {
        return String::new();
    }
    let mut text = String::from("Without a group\n");
    for ((device, reason), on) in paths {
        let on = if on.len() == replays.len() { String::new() } else { format!(" ({})", on.join(", ")) };
        let _ = writeln!(text, "  {:10} {}{on}", short.of_text(device), short.of_text(reason));
    }
    text
}

fn broken(replays: &[&Judged], short: &Short) -> String {
    let mut text = String::new();
    for (replay, _) in replays {
        for broken in &replay.breaks {
            let step = &replay.taken[broken.at].step;
            let _ = writeln!(
                text,
                "  {:3} {:9} in step {}, `{}`: {}",
                broken.id,
                replay.path.word(),
                broken.at + 1,
                short.of_text(&step.to_string()),
                short.of_text(&broken.by)
            );
        }
    }
    if text.is_empty() { "No invariant is violated.\n".into() } else { format!("Violated\n{text}") }
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width());
    table
}

/// Columns that there are.
fn width() -> u16 {
    Table::new().width().unwrap_or(UNKNOWN_WIDTH)
}

/// PCI addresses without their domain, where there is but one.
struct Short {
    is_one_domain: bool,
}

impl Short {
    fn of(scenario: &Scenario) -> Self {
        let mut pci = scenario.devices.iter().filter(|device| device.name.contains(':'));
        Self { is_one_domain: pci.all(|device| device.name.starts_with(DOMAIN)) }
    }

    fn of_text(&self, text: &str) -> String {
        if self.is_one_domain { text.replace(DOMAIN, "") } else { text.to_owned() }
    }
}

const DOMAIN: &str = "0000:";
