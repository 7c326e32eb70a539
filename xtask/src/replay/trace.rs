//! What one path does in a scenario, and whether that is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use probe::{DomainType, Path};
use scenario::{Expect, Plan, ScenarioError, Step, World};
use serde_json::{Value, json};

use crate::scenarios;

/// What one path did.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) path: Path,
    pub(crate) taken: Vec<Taken>,
    /// Number and members of each group at the end.
    pub(crate) groups: Vec<(u32, Vec<String>)>,
    /// Type of the default domain of each device's group at the end.
    pub(crate) types: BTreeMap<String, &'static str>,
    /// Devices without a group at the end, with the reason.
    pub(crate) without: Vec<(String, String)>,
    pub(crate) breaks: Vec<Break>,
}

/// One step and its effects.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) step: Step,
    /// What a `go` did.
    pub(crate) piece: &'static str,
    pub(crate) events: Vec<String>,
    /// Why the step was not possible on this path.
    pub(crate) impossible: Option<String>,
}

/// An invariant that is broken.
#[derive(Clone, Debug)]
pub(crate) struct Break {
    /// `I1` to `I11`.
    pub(crate) id: &'static str,
    pub(crate) by: String,
    /// The place of the step in which it broke.
    pub(crate) at: usize,
}

impl Replay {
    /// Takes a scenario's steps on a path, and then completes what is still in progress.
    pub(crate) fn run(plan: &Rc<Plan>, path: Path) -> Self {
        let mut world = World::new(plan, path);
        let (taken, groups, types, without, breaks) = (vec![], vec![], BTreeMap::new(), vec![], vec![]);
        let mut replay = Self { path, taken, groups, types, without, breaks };
        for step in &plan.scenario().steps {
            replay.take(&mut world, step);
        }
        if !world.is_at_rest() {
            replay.take(&mut world, &Step::Rest);
        }
        let core = world.core();
        let name = |id: &_| core.device(*id).name().to_owned();
        replay.groups =
            core.groups().map(|group| (group.id().0, group.members().iter().map(name).collect())).collect();
        for group in core.groups() {
            let word = group.domain_type().map_or("none", DomainType::word);
            replay.types.extend(group.members().iter().map(|member| (name(member), word)));
        }
        replay.without = world.without_group();
        replay
    }

    fn take(&mut self, world: &mut World, step: &Step) {
        let piece = scenarios::piece(world, step);
        let impossible = match (world.take(step), step) {
            (Ok(()), _) => None,
            // Another path has nothing to go on with where the one has that the step was written for.
            (Err(ScenarioError::Impossible(..)), Step::Go(..)) => Some(String::new()),
            (Err(ScenarioError::Impossible(_, why)), _) => Some(why.to_string()),
            (Err(error), _) => Some(error.to_string()),
        };
        let at = self.taken.len();
        self.taken.push(Taken { step: step.clone(), piece, events: world.take_events(), impossible });
        for verdict in world.invariants() {
            if let Some(by) = verdict.broken_by
                && !self.breaks.iter().any(|broken| broken.id == verdict.id)
            {
                self.breaks.push(Break { id: verdict.id, by, at });
            }
        }
    }

    /// Broken invariants, by name.
    pub(crate) fn broken(&self) -> BTreeSet<&str> {
        self.breaks.iter().map(|broken| broken.id).collect()
    }

    /// Where it is not as expected, in words; nothing if it is.
    pub(crate) fn differences(&self, expect: &Expect) -> Vec<String> {
        let mut differences = Vec::new();
        for taken in &self.taken {
            if let Some(why) = taken.impossible.as_ref().filter(|why| !why.is_empty()) {
                differences.push(format!("`{}` is not possible: {why}", taken.step));
            }
        }
        if let Some(expected) = &expect.groups {
            let expected: BTreeSet<BTreeSet<&String>> =
                expected.iter().map(|members| members.iter().collect()).collect();
            let found = self.groups.iter().map(|(_, members)| members.iter().collect()).collect();
            if expected != found {
                differences.push(format!("groups: expected {}, found {}", sets(&expected), sets(&found)));
            }
        }
        for (device, reason) in &expect.without {
            match self.without.iter().find(|(name, _)| name == device) {
                Some((_, found)) if found.starts_with(reason) => {}
                Some((_, found)) => {
                    differences.push(format!("{device}: expected `{reason}`, found `{found}`"));
                }
                None => differences.push(format!("{device}: expected to be without a group, and is not")),
            }
        }
        for (device, expected) in &expect.types {
            let found = self.types.get(device).copied().unwrap_or("none");
            if found != expected {
                differences.push(format!("{device}: expected type {expected}, found {found}"));
            }
        }
        if let Some(expected) = &expect.breaks {
            let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
            if expected != self.broken() {
                let found = list(&self.broken());
                differences.push(format!("violated: expected {}, found {found}", list(&expected)));
            }
        }
        differences.extend(self.events_that_differ(expect));
        differences
    }

    fn events_that_differ(&self, expect: &Expect) -> Vec<String> {
        let mut differences = Vec::new();
        let events: Vec<&String> = self.taken.iter().flat_map(|taken| &taken.events).collect();
        let mut rest = events.iter();
        let mut after = "the beginning";
        for expected in expect.events.iter().flatten() {
            if !rest.any(|event| *event == expected) {
                differences.push(format!("no event `{expected}` after {after}"));
                break;
            }
            after = expected;
        }
        for unexpected in expect.no_events.iter().flatten() {
            if events.contains(&unexpected) {
                differences.push(format!("there is an event `{unexpected}`"));
            }
        }
        differences
    }

    pub(super) fn to_json(&self, differences: &[String]) -> Value {
        let steps = self.taken.iter().map(|taken| {
            json!({
                "step": taken.step.to_string(),
                "piece": taken.piece,
                "events": taken.events,
                "possible": taken.impossible.is_none(),
            })
        });
        let groups = self.groups.iter().map(|(id, members)| {
            let kind = members.first().and_then(|first| self.types.get(first));
            json!({ "id": id, "type": kind, "members": members })
        });
        let without =
            self.without.iter().map(|(device, reason)| json!({ "device": device, "reason": reason }));
        let breaks = self
            .breaks
            .iter()
            .map(|broken| json!({ "id": broken.id, "by": broken.by, "after_step": broken.at + 1 }));
        json!({
            "path": self.path.word(),
            "steps": steps.collect::<Vec<_>>(),
            "groups": groups.collect::<Vec<_>>(),
            "without_group": without.collect::<Vec<_>>(),
            "breaks": breaks.collect::<Vec<_>>(),
            "differences": differences,
        })
    }
}

/// Names with blanks between them, or a word for none.
pub(crate) fn list(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let mut names: Vec<&str> = names.iter().copied().collect();
    // I10 comes after I9.
    names.sort_by_key(|name| (name.len(), *name));
    names.join(" ")
}

fn sets(groups: &BTreeSet<BTreeSet<&String>>) -> String {
    if groups.is_empty() {
        return "none".into();
    }
    let members =
        |group: &BTreeSet<&String>| group.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    groups.iter().map(members).collect::<Vec<_>>().join(" | ")
}
