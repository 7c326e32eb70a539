//! Distribution of work between two CPUs on one machine.
//!
//! Each CPU does one activity at a time, to its end, and releases the machine after each piece of it. Which CPU binds a
//! device depends on the device; a CPU that has nothing to bind takes the next step. Which CPU gets the machine next is
//! not decided here: real CPUs take a lock, a test shuffles them.

use probe::Activity;

/// The CPU that binds IOMMUs and therefore walks the buses.
pub const WALKER: usize = 0;

/// The CPU that binds everything else.
pub const BINDER: usize = 1;

/// The kind of device of a queued activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// An IOMMU.
    Iommu,
    /// Any other device.
    Client,
}

/// Result of the attempt to take the next step.
#[derive(Clone, Debug, PartialEq)]
pub enum Stepped {
    /// It was taken; the activity that it has begun and not finished.
    Taken(Option<Activity>),
    /// It is not possible now.
    Impossible,
    /// There is none.
    NoneLeft,
}

/// A machine that two CPUs run.
pub trait Machine {
    /// Takes the next step.
    fn step(&mut self) -> Stepped;

    /// Skips the next step: it is impossible, and will stay so.
    fn skip_step(&mut self);

    /// Takes the activity that has been queued longest, of those of IOMMUs or of all others.
    fn take(&mut self, about: About) -> Option<Activity>;

    /// Does one piece; returns the remaining activity, if any.
    fn advance(&mut self, activity: Activity) -> Option<Activity>;

    /// Whether nothing is queued.
    fn is_idle(&self) -> bool;
}

/// What a CPU did in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnOutcome {
    /// A piece of work.
    Did,
    /// Nothing; the other CPU has work, and may produce some for this one.
    Waits,
    /// Nothing; neither CPU has work left.
    Over,
}

/// The activities of the two CPUs, and the choice of work for each turn.
#[derive(Debug, Default)]
pub struct CpuTurns {
    held: [Option<Activity>; 2],
}

impl CpuTurns {
    /// The turn of `cpu`. Without an activity, [`WALKER`] takes a step before it begins a walk if
    /// it is `eager`, and [`BINDER`] begins an activity only if it is `eager`: if it always did,
    /// all binds would be finished before a walk begins.
    pub fn turn(&mut self, machine: &mut impl Machine, cpu: usize, eager: bool) -> TurnOutcome {
        if let Some(activity) = self.held[cpu].take() {
            self.held[cpu] = machine.advance(activity);
            return TurnOutcome::Did;
        }
        if cpu == BINDER && !eager {
            return TurnOutcome::Waits;
        }
        if !(cpu == WALKER && eager) && self.begin(machine, cpu) {
            return TurnOutcome::Did;
        }
        let is_last = machine.is_idle() && self.held.iter().all(Option::is_none);
        match machine.step() {
            Stepped::Taken(begun) => {
                self.held[cpu] = begun;
                TurnOutcome::Did
            }
            // Work of the other CPU may make it possible.
            Stepped::Impossible if is_last => {
                machine.skip_step();
                TurnOutcome::Did
            }
            Stepped::NoneLeft if is_last => TurnOutcome::Over,
            Stepped::Impossible | Stepped::NoneLeft if self.begin(machine, cpu) => TurnOutcome::Did,
            Stepped::Impossible | Stepped::NoneLeft => TurnOutcome::Waits,
        }
    }

    fn begin(&mut self, machine: &mut impl Machine, cpu: usize) -> bool {
        let about = if cpu == WALKER { About::Iommu } else { About::Client };
        let Some(activity) = machine.take(about) else { return false };
        self.held[cpu] = machine.advance(activity);
        true
    }
}
