//! The machine's own boot on two CPUs (`binds=second-cpu`): the first one binds IOMMUs, and so walks the buses, the
//! second one binds all else.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use kernel::{Handle, Hardware, Probing, Random, Step, event_log};
use probe::{Activity, Core, Finding, Severity};
use scenario::{About, BINDER, CpuTurns, Machine, Stepped, TurnOutcome, WALKER};

use crate::confined::Confined;
use crate::error::TwoCpuError;
use crate::rounds::{Pace, work};
use crate::second_cpu::SecondCpu;

/// Longest pause between two pieces, in looks of a waiting CPU: as long as a few requests to a device take.
const LONGEST_PAUSE: u64 = 1024;

/// The second CPU begins something in one of so many of its turns, so that a walk gets to its middle before.
const HESITATION: u64 = 4;

/// Microseconds for the whole of it. A driver has limits of its own.
const LIMIT_US: u64 = 600_000_000;

/// The core, and what is done to it.
struct Shared<'a> {
    core: &'a mut Core<Handle>,
    hardware: Rc<Hardware>,
    steps: vec::IntoIter<Step>,
    warnings: &'a mut Vec<String>,
}

/// Takes the steps of `probing` that are ready, and does all that follows from them, on two CPUs; what they did, for the report.
///
/// # Errors
///
/// They were not done in time, in words.
pub(crate) fn run(
    cpu: &mut SecondCpu,
    probing: &mut Probing,
    seed: u64,
    warnings: &mut Vec<String>,
) -> Result<Finding, TwoCpuError> {
    // Fair throughout: there are only some hundred pieces, and each CPU is to come in between the other's.
    let pace = Pace { seed, longest_pause: LONGEST_PAUSE, fair_us: LIMIT_US, limit_us: LIMIT_US };
    let (mut coin, mut dice) = (Random(seed), Random(!seed));
    let steps = probing.ready_steps().into_iter();
    let machine = Shared { core: &mut probing.core, hardware: probing.hardware.clone(), steps, warnings };
    // SAFETY: What the core, its drivers, the steps and the hardware share with others, those reach who wait for
    // this function; and it does nothing but wait until the CPUs are done and the value is back.
    let shared = unsafe { Confined::new((machine, CpuTurns::default())) };
    let (shared, tally) = work(
        cpu,
        shared,
        &pace,
        |shared| turn(shared, WALKER, coin.one_in(2)),
        |shared| turn(shared, BINDER, dice.one_in(HESITATION)),
    );
    drop(shared.into_inner());
    let [walks, binds] = tally.pieces;
    if tally.overdue {
        return Err(TwoCpuError::BindsOverdue { pieces: tally.pieces });
    }
    Ok(Finding {
        id: "binds-second-cpu",
        severity: Severity::Info,
        subject: format!("CPU 1 (affinity {})", cpu.affinity()),
        sentence: format!(
            "binds everything except IOMMUs: the CPUs completed {walks} and {binds} work items and alternated {} times",
            tally.switches
        ),
    })
}

fn turn(shared: &mut (Shared<'_>, CpuTurns), cpu: usize, eager: bool) -> TurnOutcome {
    let (machine, turns) = shared;
    let turn = turns.turn(machine, cpu, eager);
    event_log::write(machine.core, &machine.hardware, machine.warnings);
    turn
}

impl Machine for Shared<'_> {
    fn step(&mut self) -> Stepped {
        match self.steps.next() {
            Some(step) => Stepped::Taken(step.begin(self.core)),
            None => Stepped::NoneLeft,
        }
    }

    fn skip_step(&mut self) {
        self.steps.next();
    }

    fn take(&mut self, about: About) -> Option<Activity> {
        let is_iommu = |id| self.hardware.is_iommu(*self.core.device(id).handle());
        let wanted = |id| is_iommu(id) == (about == About::Iommu);
        let position = self.core.queued().position(wanted)?;
        self.core.take_at(position)
    }

    fn advance(&mut self, activity: Activity) -> Option<Activity> {
        self.core.advance(activity)
    }

    fn is_idle(&self) -> bool {
        self.core.queued().next().is_none()
    }
}
