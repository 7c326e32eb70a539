//! Repeats a scenario on two CPUs.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;

use probe::{Activity, Path};

use crate::error::ScenarioError;
use crate::plan::Plan;
use crate::spec::{Grain, Scenario};
use crate::step::Step;
use crate::two_cpus::{About, CpuTurns, Machine, Stepped, TurnOutcome};
use crate::world::{Partition, World};

/// Rounds of a scenario, each with a new machine.
///
/// Steps are taken in the order as written, except `go` and `rest`: the CPUs race for that order.
/// Each turn is one piece; Linux releases its locks between pieces.
pub struct Race {
    plan: Rc<Plan>,
    path: Path,
    round: Round,
    turns: CpuTurns,
    /// Number of rounds that have not ended.
    left: u64,
    results: Results,
}

/// Results of the rounds that have ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// Their number.
    pub rounds: u64,
    /// Invariants that some of them broke, by name.
    pub broken: BTreeMap<&'static str, Breaks>,
    /// Partitions, and the number of rounds that reached each.
    pub partitions: BTreeMap<Partition, u64>,
}

/// Rounds that broke an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaks {
    /// How many.
    pub rounds: u64,
    /// The first such round, counted from 1.
    pub first: u64,
    /// The violation in that round.
    pub by: String,
}

/// One machine, and the index of its next step.
struct Round {
    world: World,
    plan: Rc<Plan>,
    next: usize,
}

impl Race {
    /// `rounds` rounds of a scenario on a path, before the first turn.
    ///
    /// # Errors
    ///
    /// See [`Plan::new`].
    pub fn new(scenario: Scenario, path: Path, rounds: u64) -> Result<Self, ScenarioError> {
        let plan = Rc::new(Plan::new(Scenario { grain: Grain::Piece, ..scenario })?);
        let (round, turns) = (Round::new(&plan, path), CpuTurns::default());
        Ok(Self { plan, path, round, turns, left: rounds, results: Results::default() })
    }

    /// The turn of `cpu`: a piece of a round, or the end of one and the beginning of the next. `eager` as for
    /// [`CpuTurns::turn`].
    pub fn turn(&mut self, cpu: usize, eager: bool) -> TurnOutcome {
        if self.left == 0 {
            return TurnOutcome::Over;
        }
        match self.turns.turn(&mut self.round, cpu, eager) {
            TurnOutcome::Over => {
                self.end_round();
                TurnOutcome::Did
            }
            turn => turn,
        }
    }

    /// The result.
    #[must_use]
    pub fn results(&self) -> &Results {
        &self.results
    }

    fn end_round(&mut self) {
        self.left -= 1;
        self.results.rounds += 1;
        let mut world = core::mem::replace(&mut self.round, Round::new(&self.plan, self.path)).world;
        // No activity is in progress; this checks the invariants that hold at rest.
        world.rest();
        for verdict in world.invariants() {
            let Some(by) = verdict.broken_by else { continue };
            let first = self.results.rounds;
            let breaks = self.results.broken.entry(verdict.id).or_insert(Breaks { rounds: 0, first, by });
            breaks.rounds += 1;
        }
        *self.results.partitions.entry(world.partition()).or_default() += 1;
    }
}

impl Round {
    fn new(plan: &Rc<Plan>, path: Path) -> Self {
        let mut round = Self { world: World::new(plan, path), plan: plan.clone(), next: 0 };
        round.pass_over_pieces();
        round
    }

    /// Advances to the next step other than `go` and `rest`.
    fn pass_over_pieces(&mut self) {
        let steps = &self.plan.scenario().steps;
        let is_piece = |step: &Step| matches!(step, Step::Go(..) | Step::Rest);
        while steps.get(self.next).is_some_and(is_piece) {
            self.next += 1;
        }
    }
}

impl Machine for Round {
    fn step(&mut self) -> Stepped {
        let plan = self.plan.clone();
        let Some(step) = plan.scenario().steps.get(self.next) else { return Stepped::NoneLeft };
        if self.world.begin(step).is_err() {
            return Stepped::Impossible;
        }
        self.skip_step();
        Stepped::Taken(self.world.take_begun())
    }

    fn skip_step(&mut self) {
        self.next += 1;
        self.pass_over_pieces();
    }

    fn take(&mut self, about: About) -> Option<Activity> {
        self.world.take_queued(about == About::Iommu)
    }

    fn advance(&mut self, activity: Activity) -> Option<Activity> {
        self.world.advance(activity)
    }

    fn is_idle(&self) -> bool {
        self.world.is_at_rest()
    }
}
