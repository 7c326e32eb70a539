//! The printed summary: a line for each machine, and the paths that the kernel as a whole behaves like.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::invariants;
use super::judgement::{Judged, Status};
use crate::outcome::Kind;
use crate::paths::Paths;

/// Most lines of differences for one machine, unless all are asked for.
const LINES: usize = 8;

/// The line of a machine, and the differences below it.
pub(super) fn of_machine(judged: &Judged, expected: &str, width: usize, all: bool) -> String {
    let mut line =
        format!("{:<9} {:<width$} {:>6.1} s", judged.status.word(), judged.id, judged.took.as_secs_f32());
    let mut words = Vec::new();
    if judged.status != Status::Ok && judged.status.is_compared() {
        let paths: Vec<&str> = judged.paths.iter().map(|path| path.word()).collect();
        words.push(if paths.is_empty() {
            "like no path".into()
        } else {
            format!("like {}", paths.join(" and "))
        });
        let mut broken: Vec<&str> = judged.breaks.keys().map(String::as_str).collect();
        broken.sort_by_key(|id| invariants::number(id));
        if !broken.is_empty() {
            words.push(format!("violates {}", broken.join(", ")));
        }
    }
    words.extend(judged.why.clone());
    // Writing to a text does not fail.
    if !words.is_empty() {
        let _ = write!(line, "  {}", words.join("; "));
    }
    let mut below: Vec<String> = judged.differences.lines(expected);
    for (partition, count) in &judged.partitions {
        let groups: Vec<String> = partition.iter().map(|group| format!("{{{}}}", group.join(", "))).collect();
        below.push(format!(
            "in {count} runs: {}",
            if groups.is_empty() { "no groups".into() } else { groups.join(" ") }
        ));
    }
    below.extend(judged.remarks.iter().map(|remark| format!("remark: {remark}")));
    let shown = if all { below.len() } else { LINES };
    for one in below.iter().take(shown) {
        let _ = write!(line, "\n          {one}");
    }
    if below.len() > shown {
        let _ = write!(line, "\n          ... {} more lines; -v shows all", below.len() - shown);
    }
    line
}

/// All machines of a kernel.
pub(super) struct Summary<'a> {
    pub(super) kernel: String,
    /// The reference that `--like` selects.
    pub(super) expected: String,
    pub(super) qemu: &'a str,
    pub(super) judged: &'a [Judged],
    pub(super) paths: &'a Paths,
    /// Reasons, and machines that were left out for them.
    pub(super) skipped: &'a BTreeMap<String, Vec<String>>,
    pub(super) took: Duration,
    /// The command that boots a machine again.
    pub(super) repeat: &'a dyn Fn(&Judged) -> String,
    /// Whether a kernel that lists nothing is skipped instead of failed.
    pub(super) skip_broken: bool,
}

impl Summary<'_> {
    /// The verdict over all machines.
    pub(super) fn kind(&self) -> Kind {
        let any = |is: fn(Status) -> bool| self.judged.iter().any(|one| is(one.status));
        let is_broken = |status: Status| !status.is_compared() && !status.is_unable();
        if any(|status| matches!(status, Status::Differs | Status::Varies)) {
            Kind::Fail
        } else if any(is_broken) {
            if self.skip_broken { Kind::Unable } else { Kind::Fail }
        } else if any(Status::is_unable) || self.judged.is_empty() {
            Kind::Unable
        } else {
            Kind::Pass
        }
    }

    /// The paths that most machines are like, and how many these are.
    fn behaves_like(&self) -> (Vec<probe::Path>, usize) {
        let count = |path: probe::Path| self.judged.iter().filter(|one| one.paths.contains(&path)).count();
        let most = probe::Path::ALL.into_iter().map(count).max().unwrap_or_default();
        let best = probe::Path::ALL.into_iter().filter(|path| most > 0 && count(*path) == most);
        (best.collect(), most)
    }

    /// The versions of Linux that these paths model.
    fn linux_of(&self, paths: &[probe::Path]) -> String {
        let of_linux = paths.iter().filter(|path| **path != probe::Path::Fixed);
        let versions: Vec<&str> = of_linux.map(|path| self.paths.linux(*path)).collect();
        if versions.is_empty() { String::new() } else { format!(", as Linux {}", versions.join(" or ")) }
    }

    fn compared(&self) -> usize {
        self.judged.iter().filter(|one| one.status.is_compared()).count()
    }

    /// Violated invariants, each with the machines.
    fn breaks(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut breaks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in self.judged {
            for id in one.breaks.keys() {
                breaks.entry(id).or_default().push(&one.id);
            }
        }
        breaks
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        let compared = self.compared();
        let (paths, machines) = self.behaves_like();
        let names: Vec<&str> = paths.iter().map(|path| path.word()).collect();
        if compared > 0 {
            line(match names[..] {
                [] => format!("behaves like: no path ({compared} machines)"),
                _ => {
                    let linux = self.linux_of(&paths);
                    format!("behaves like: {}{linux} ({machines} of {compared} machines)", names.join(" or "))
                }
            });
            let unlike = self.judged.iter().filter(|one| one.status.is_compared());
            let unlike = unlike.filter(|one| !paths.iter().any(|path| one.paths.contains(path)));
            let unlike: Vec<&str> = unlike.map(|one| one.id.as_str()).collect();
            if !names.is_empty() && !unlike.is_empty() {
                line(format!("  not on: {}", unlike.join(", ")));
            }
        }
        let mut breaks: Vec<(&str, Vec<&str>)> = self.breaks().into_iter().collect();
        breaks.sort_by_key(|(id, _)| invariants::number(id));
        for (id, machines) in breaks {
            let sentence = invariants::sentence(id).map(|text| format!(" ({text})")).unwrap_or_default();
            let machines = match machines.len() {
                count if count == compared && count > 1 => format!("all {compared} machines"),
                count => format!("{count} of {compared} machines: {}", machines.join(", ")),
            };
            line(format!("violates {id}{sentence} on {machines}"));
        }
        for (reason, machines) in self.skipped {
            line(format!("skipped {}: {reason}", machines.len()));
        }
        let failed = self.judged.iter().filter(|one| one.status != Status::Ok);
        if let Some(first) = failed.clone().next() {
            line(format!("repeat: {}", (self.repeat)(first)));
        }
        let kind = match self.kind() {
            Kind::Pass => "PASS",
            Kind::Fail => "FAIL",
            _ => "UNABLE",
        };
        let (ok, all) = (self.judged.len() - failed.count(), self.judged.len());
        line(format!(
            "{kind}: {ok} of {all} machines as {}, {:.1} s",
            self.expected,
            self.took.as_secs_f32()
        ));
        text
    }

    pub(super) fn json(&self) -> Value {
        let (paths, machines) = self.behaves_like();
        let release = self.judged.iter().find_map(|one| one.release.as_deref());
        let machine = |one: &Judged| {
            json!({
                "name": one.id,
                "status": one.status,
                "why": one.why,
                "seconds": one.took.as_secs_f64(),
                "like": one.paths.iter().map(|path| path.word()).collect::<Vec<_>>(),
                "violates": one.breaks,
                "groups": one.listing.as_ref().map(|listing| listing.groups.values().map(|group| {
                    group.members.iter().map(|(name, _)| name).collect::<Vec<_>>()
                }).collect::<Vec<_>>()),
                "moves": one.differences.moves,
                "differences": one.differences.lines(&self.expected),
                "partitions": one.partitions,
                "remarks": one.remarks,
                "repeat": (self.repeat)(one),
            })
        };
        json!({
            "schema": "iogroups-linux/1",
            "kernel": self.kernel,
            "release": release,
            "qemu": self.qemu,
            "expected": self.expected,
            "behaves_like": paths.iter().map(|path| path.word()).collect::<Vec<_>>(),
            "behaves_like_machines": machines,
            "compared": self.compared(),
            "violates": self.breaks(),
            "machines": self.judged.iter().map(machine).collect::<Vec<_>>(),
            "skipped": self.skipped,
            "seconds": self.took.as_secs_f64(),
            "outcome": self.kind().word(),
            "exit_status": self.kind().exit_status(),
        })
    }
}

#[cfg(test)]
mod tests;
