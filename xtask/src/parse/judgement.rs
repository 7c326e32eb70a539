//! What follows from the content of a log: alone, and beside the answers of our kernel's paths.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::content::{BindPhase, LogContent};
use crate::linux::{PathAnswers, SavedGroups};
use crate::outcome::Kind;

/// The judgement of a log; the JSON form of the command.
#[derive(Debug, Serialize)]
pub(super) struct Judgement {
    schema: &'static str,
    pub(super) log: String,
    /// What wrote it, and the path that it says it took.
    pub(super) writer: Option<String>,
    pub(super) path: Option<String>,
    /// The machine that it is compared with.
    pub(super) machine: Option<String>,
    pub(super) groups: Vec<BTreeSet<String>>,
    /// Devices without a group, IOMMUs left out; with the reason, if the log has it.
    pub(super) without_group: BTreeMap<String, Option<String>>,
    pub(super) iommus: BTreeSet<String>,
    pub(super) order: Order,
    /// Paths that the log is like.
    pub(super) like: Vec<&'static str>,
    /// How that is known.
    pub(super) because: String,
    /// How it differs from each path's answer; empty without a topology.
    pub(super) differences: BTreeMap<&'static str, Vec<String>>,
    /// Violated invariants, and how it is known.
    pub(super) violates: BTreeMap<String, String>,
    pub(super) remarks: Vec<String>,
    pub(super) expected: &'static str,
    outcome: &'static str,
    exit_status: u8,
    #[serde(skip)]
    kind: Kind,
}

/// When devices joined their groups, in the life of their drivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Order {
    pub(super) before_bind: Vec<String>,
    pub(super) at_bind: Vec<String>,
    pub(super) after_bind: Vec<String>,
    /// Of those at bind: Linux warned that it is late.
    pub(super) late: BTreeSet<String>,
}

impl Judgement {
    /// Judges a log, which has to be like `expected`.
    pub(super) fn of(
        name: &str,
        content: &LogContent,
        answers: Option<&PathAnswers>,
        expected: probe::Path,
    ) -> Self {
        let mut judgement = Self {
            schema: "iogroups-parse/1",
            log: name.to_owned(),
            writer: content.writer.clone(),
            path: content.path.clone(),
            machine: answers.map(|answers| answers.machine.clone()),
            groups: content.groups(),
            without_group: content
                .ungrouped()
                .into_iter()
                .map(|device| (device.clone(), content.reasons.get(&device).cloned()))
                .collect(),
            iommus: content.iommus.clone(),
            order: Order::of(content),
            like: Vec::new(),
            because: String::new(),
            differences: BTreeMap::new(),
            violates: BTreeMap::new(),
            remarks: Vec::new(),
            expected: expected.word(),
            outcome: "",
            exit_status: 0,
            kind: Kind::Pass,
        };
        judgement.look_at_invariants(content);
        match answers {
            Some(answers) => judgement.compare(content, answers, expected),
            None => judgement.guess(content),
        }
        judgement.remark(content);
        judgement.kind = judgement.verdict(content);
        (judgement.outcome, judgement.exit_status) = (judgement.kind.word(), judgement.kind.exit_status());
        judgement
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    fn verdict(&self, content: &LogContent) -> Kind {
        let is_failed =
            content.verdict.as_ref().is_some_and(|verdict| !verdict.to_lowercase().starts_with("pass"));
        let is_like = self.like.contains(&self.expected);
        if content.panic.is_some() || is_failed || !self.violates.is_empty() || !is_like {
            Kind::Fail
        } else {
            Kind::Pass
        }
    }

    /// What the log itself shows as violated.
    fn look_at_invariants(&mut self, content: &LogContent) {
        self.violates.extend(content.broken.iter().cloned());
        let mut violate = |id: &str, how: String| {
            self.violates.entry(id.to_owned()).or_insert(how);
        };
        if !content.late.is_empty() || !self.order.after_bind.is_empty() {
            let late: BTreeSet<&String> = content.late.iter().chain(&self.order.after_bind).collect();
            violate("I3", format!("grouped while or after the driver was bound: {}", some_of(late)));
        }
        let grouped: BTreeSet<&String> = self.groups.iter().flatten().collect();
        let itself: Vec<&String> = content.iommus.iter().filter(|iommu| grouped.contains(iommu)).collect();
        if !itself.is_empty() {
            violate("I4", format!("an IOMMU is in a group: {}", some_of(itself)));
        }
        let vanished = content.vanished();
        if !vanished.is_empty() {
            let how = format!("no longer in the group that they had joined: {}", some_of(&vanished));
            violate("I2", how.clone());
            violate("I5", how);
        }
    }

    /// Compares with the answers of every path.
    fn compare(&mut self, content: &LogContent, answers: &PathAnswers, expected: probe::Path) {
        let shown = SavedGroups {
            groups: self.groups.clone(),
            ungrouped: self.without_group.keys().chain(&self.iommus).cloned().collect(),
            late: content.has_log.then(|| content.late.clone()),
        };
        let all = answers.differences(&shown);
        self.like = all.iter().filter(|one| one.lines.is_empty()).map(|one| one.path.word()).collect();
        self.because =
            "the groups, and the devices that were grouped late, are those of the path on this machine"
                .into();
        if self.like.is_empty() {
            self.because = "no path gives these groups on this machine".into();
        }
        let fixed = all.iter().find(|one| one.path == probe::Path::Fixed);
        if let Some(lost) = fixed.map(|one| one.lost).filter(|lost| *lost > 0) {
            let how = format!("{lost} devices without a group that have one on fixed");
            self.violates.entry("I2".into()).or_insert(how);
        }
        if let [like] = self.like[..] {
            let of_path = all.iter().filter(|one| one.path.word() == like && one.path != probe::Path::Fixed);
            for id in of_path.flat_map(|one| &one.breaks) {
                self.violates
                    .entry(id.clone())
                    .or_insert_with(|| format!("as the path {like} on this machine"));
            }
        }
        let shown = all.into_iter().filter(|one| one.path == expected || self.like.is_empty());
        self.differences =
            shown.filter(|one| !one.lines.is_empty()).map(|one| (one.path.word(), one.lines)).collect();
    }

    /// Says what can be said without the answers for this machine: when devices were grouped tells the paths apart.
    fn guess(&mut self, content: &LogContent) {
        let Order { before_bind, at_bind, after_bind, late } = &self.order;
        let words = |paths: &[probe::Path]| paths.iter().map(|path| path.word()).collect();
        use probe::Path::{Fixed, Legacy, Regressed, Upstream};
        (self.like, self.because) = if let Some(path) = content.path.as_deref() {
            let named = probe::Path::ALL.into_iter().filter(|one| one.word() == path);
            (named.map(probe::Path::word).collect(), "the report names it".into())
        } else if !late.is_empty() {
            let how = "devices were grouped when their drivers were bound, with the warning that Linux has since 6.15";
            (words(&[Regressed]), how.into())
        } else if !at_bind.is_empty() && before_bind.is_empty() && after_bind.is_empty() {
            let how =
                "devices were grouped when their drivers were bound, without a warning, as up to Linux 6.14";
            (words(&[Legacy]), how.into())
        } else if !before_bind.is_empty() && at_bind.is_empty() && after_bind.is_empty() {
            let how = "devices were grouped before any driver was bound to them";
            // It keeps all invariants.
            let is_fixed = self.violates.is_empty().then_some(Fixed);
            (words(&[Some(Upstream), is_fixed].into_iter().flatten().collect::<Vec<_>>()), how.into())
        } else if !before_bind.is_empty() || !at_bind.is_empty() || !after_bind.is_empty() {
            (words(&[]), "some devices were grouped before a driver was bound to them, and some later".into())
        } else if self.groups.is_empty() && content.has_ready_iommu {
            let how = "an IOMMU is ready, and no device has a group; a machine whose firmware translates no device looks \
                       the same";
            (words(&[Regressed]), how.into())
        } else {
            (
                words(&[Legacy, Regressed, Upstream, Fixed]),
                "a listing of groups alone does not tell the paths apart; name the machine with --topology"
                    .into(),
            )
        };
    }

    fn remark(&mut self, content: &LogContent) {
        if let Some(why) = &content.panic {
            self.remarks.push(format!("the kernel panicked: {why}"));
        }
        if let Some(verdict) = &content.verdict {
            self.remarks.push(format!("the report ends with: {verdict}"));
        }
        let bound = self.without_group.keys().filter(|device| content.drivers.contains_key(*device));
        let bound: Vec<&String> = bound.collect();
        if !bound.is_empty() && !self.groups.is_empty() && content.reasons.is_empty() {
            self.remarks.push(format!("bound to a driver without a group: {}", some_of(bound)));
        }
    }
}

impl Order {
    fn of(content: &LogContent) -> Self {
        let of = |when: BindPhase| {
            let joins = content.joins.iter().filter(|join| join.when == when);
            joins.map(|join| join.device.clone()).collect()
        };
        Self {
            before_bind: of(BindPhase::Before),
            at_bind: of(BindPhase::During),
            after_bind: of(BindPhase::After),
            late: content.late.clone(),
        }
    }
}

/// Most devices that are named in one line.
const NAMES: usize = 8;

/// The first of some devices, and how many more there are.
fn some_of<'a>(devices: impl IntoIterator<Item = &'a String>) -> String {
    let all: Vec<&str> = devices.into_iter().map(String::as_str).collect();
    let shown = all.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    if all.len() > NAMES { format!("{shown} and {} more", all.len() - NAMES) } else { shown }
}
