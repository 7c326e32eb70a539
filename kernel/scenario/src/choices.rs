//! The possible continuations of a world, for a caller that tries each of them.

use alloc::string::ToString;
#[cfg(feature = "explore")]
use alloc::vec;
use alloc::vec::Vec;

use probe::{Activity, DeviceId};

use crate::choice::Choice;
use crate::step::Step;
use crate::world::World;

impl World {
    /// The choice that a `go` selects now.
    #[must_use]
    pub fn meant(&self, step: &Step) -> Option<Choice> {
        let Step::Go(name, nth) = step else { return None };
        let id = self.present[self.plan.place(name).ok()?]?;
        self.pieces_of(id).get(*nth).copied()
    }

    /// Takes one of the [`choices`](Self::choices); false if it is not one of them.
    pub fn follow(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Step(place) => match self.plan.clone().scenario.steps.get(place) {
                Some(step) => self.begin(step).is_ok(),
                None => false,
            },
            Choice::Go(_) | Choice::Begin(_) => self.go_on(choice),
        }
    }

    /// All choices after the steps in `done`, with `cpus` CPUs.
    ///
    /// Steps about one device, or one driver, stay in their order; a PCI function is added after
    /// the bridge that leads to it and after function 0 of its slot, and removed before them. Each
    /// activity in progress occupies a CPU.
    pub fn choices(&self, done: &[bool], cpus: usize) -> Vec<Choice> {
        let mut choices: Vec<Choice> = (0..self.running.len()).map(Choice::Go).collect();
        let is_free = self.running.len() < cpus;
        if is_free {
            choices.extend((0..self.core.queued().count()).map(Choice::Begin));
        }
        let steps = &self.plan.scenario.steps;
        for (place, step) in steps.iter().enumerate().filter(|(place, _)| !done[*place]) {
            let same = |other: &Step| match (step, other) {
                (Step::Register(a), Step::Register(b)) => a == b,
                _ => step.device().is_some() && step.device() == other.device(),
            };
            let comes_first = steps[..place].iter().zip(done).any(|(other, done)| !done && same(other));
            if !comes_first && self.is_possible(step, is_free) {
                choices.push(Choice::Step(place));
            }
        }
        choices
    }

    fn is_possible(&self, step: &Step, cpu_is_free: bool) -> bool {
        let place = step.device().and_then(|name| self.plan.place(name).ok());
        let others =
            || self.present.iter().enumerate().filter(|(_, id)| id.is_some()).map(|(other, _)| other);
        match (step, place) {
            (Step::Go(..) | Step::Rest, _) => false,
            (Step::Register(_) | Step::Expire, _) => true,
            (Step::Add(_), Some(place)) => {
                let needed = (0..self.present.len()).filter(|other| self.plan.depends_on(place, *other));
                cpu_is_free
                    && self.present[place].is_none()
                    && self.is_host_bound(place)
                    && needed.into_iter().all(|other| self.present[other].is_some())
            }
            (_, Some(place)) => {
                let free = self.present[place].is_some_and(|id| !self.core.linux().is_busy(id));
                let is_needed = || others().any(|other| self.plan.depends_on(other, place));
                free && !(matches!(step, Step::Remove(_)) && is_needed())
            }
            (_, None) => false,
        }
    }

    /// The step that has the same effect as a choice in a `stepwise` scenario.
    #[must_use]
    pub fn as_step(&self, choice: Choice) -> Option<Step> {
        let go = |id: Option<DeviceId>| {
            let nth = self.pieces_of(id?).iter().position(|other| *other == choice)?;
            Some(Step::Go(self.core.device(id?).name().to_string(), nth))
        };
        match choice {
            Choice::Step(place) => self.plan.scenario.steps.get(place).cloned(),
            Choice::Go(place) => go(self.core.device_of(self.running.get(place)?)),
            Choice::Begin(place) => go(self.core.queued().nth(place)),
        }
    }

    /// Takes one of the [`choices`](Self::choices), and returns it as steps, one per piece.
    #[cfg(feature = "explore")]
    pub(crate) fn follow_in_steps(&mut self, choice: Choice) -> Vec<Step> {
        let mut steps: Vec<Step> = self.as_step(choice).into_iter().collect();
        let device = steps.first().and_then(Step::device).and_then(|name| self.plan.place(name).ok());
        let begun = device.and_then(|place| self.present[place]).map_or(0, |id| {
            self.running.iter().filter(|activity| self.core.device_of(activity) == Some(id)).count()
        });
        let before = self.idle_pieces;
        self.follow(choice);
        let again = match (&steps[..], choice) {
            // The queued activity is now the last one in progress.
            ([Step::Go(name, _)], Choice::Begin(_)) => Some(Step::Go(name.clone(), begun)),
            ([step @ Step::Go(..)], Choice::Go(_)) => Some(step.clone()),
            _ => None,
        };
        steps.extend(again.into_iter().flat_map(|step| vec![step; self.idle_pieces - before]));
        steps
    }

    /// Description of the next piece of a choice.
    #[must_use]
    pub fn describe(&self, choice: Choice) -> &'static str {
        match choice {
            Choice::Step(_) => "step",
            Choice::Go(place) => self.running.get(place).map_or("nothing", Activity::next_piece),
            Choice::Begin(_) => "begin what is queued",
        }
    }
}
