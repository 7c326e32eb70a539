//! Which devices are in another group than expected, and what decided it.

use std::collections::{BTreeMap, BTreeSet};

use report::Report;

use super::words::set;

/// A set of members that is longer is shortened.
const MOST_MEMBERS: usize = 12;

/// A line for all devices that went from one group to one place. `expected` has the members of each group, by number.
pub(super) fn moves(report: &Report, expected: &[&BTreeSet<String>]) -> Vec<String> {
    let mut moved: BTreeMap<(Option<usize>, Option<u32>), Vec<&str>> = BTreeMap::new();
    let actual: BTreeMap<u32, BTreeSet<String>> =
        report.groups.iter().map(|group| (group.id, group.devices.iter().cloned().collect())).collect();
    for (number, members) in expected.iter().enumerate() {
        for device in members.iter() {
            let group = actual.iter().find(|(_, members)| members.contains(device));
            if group.is_none_or(|(_, is)| is != *members) {
                moved.entry((Some(number), group.map(|(id, _)| *id))).or_default().push(device);
            }
        }
    }
    for (id, members) in &actual {
        let is_expected = |device: &str| expected.iter().any(|members| members.contains(device));
        let extra: Vec<&str> =
            members.iter().map(String::as_str).filter(|device| !is_expected(device)).collect();
        if !extra.is_empty() {
            moved.insert((None, Some(*id)), extra);
        }
    }
    // What was expected somewhere comes first.
    let (new, from_groups): (Vec<_>, Vec<_>) = moved.into_iter().partition(|((from, _), _)| from.is_none());
    let line = |((from, to), devices): ((Option<usize>, Option<u32>), Vec<&str>)| {
        let from = from.map_or("expected in no group".into(), |number| {
            format!("expected in group {number} {}", shortened(expected[number]))
        });
        let to = to.map_or("in no group".into(), |id| format!("in group {id} {}", shortened(&actual[&id])));
        format!("{}: {from}, is {to}: {}", names(&devices), rules(report, &devices))
    };
    from_groups.into_iter().chain(new).map(line).collect()
}

/// What decided about devices, each rule once.
fn rules(report: &Report, devices: &[&str]) -> String {
    let mut by_rule: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in devices {
        let device = report.devices.iter().find(|device| device.name == *name);
        let why = device.map_or("it is not among the devices", |device| device.why.as_str());
        match by_rule.iter_mut().find(|(rule, _)| *rule == why) {
            Some((_, devices)) => devices.push(name),
            None => by_rule.push((why, vec![name])),
        }
    }
    match &by_rule[..] {
        [(rule, _)] => (*rule).to_owned(),
        several => {
            let of_one = |(rule, devices): &(&str, Vec<&str>)| format!("{rule} ({})", names(devices));
            several.iter().map(of_one).collect::<Vec<_>>().join("; ")
        }
    }
}

fn names(devices: &[&str]) -> String {
    match devices.get(MOST_MEMBERS..) {
        None | Some([]) => devices.join(", "),
        Some(others) => format!("{} and {} more", devices[..MOST_MEMBERS].join(", "), others.len()),
    }
}

fn shortened(members: &BTreeSet<String>) -> String {
    if members.len() <= MOST_MEMBERS {
        return set(members);
    }
    let first: Vec<&str> = members.iter().map(String::as_str).collect();
    format!("{{{}}}", names(&first))
}
