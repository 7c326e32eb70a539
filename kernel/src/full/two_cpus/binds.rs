//! The machine's own boot on two CPUs (`binds=second-cpu`): the first one binds IOMMUs and
//! therefore walks the buses, the second one binds all other devices.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use kernel::{BootStep, Handle, Hardware, Probing, Random, event_log};
use probe::{Activity, Core, Finding, Severity};
use scenario::{About, BINDER, CpuTurns, Machine, Stepped, TurnOutcome, WALKER};

use crate::two_cpus::confined::Confined;
use crate::two_cpus::error::TwoCpuError;
use crate::two_cpus::rounds::{Pace, work};
use crate::two_cpus::second_cpu::SecondCpu;

/// Longest pause between two pieces, in polls of a waiting CPU: the time of a few requests to a
/// device.
const LONGEST_PAUSE: u64 = 1024;

/// The second CPU begins an activity in one of this many of its turns, so that a walk is in
/// progress by then.
const HESITATION: u64 = 4;

/// Deadline for the whole boot, in microseconds. Drivers have their own deadlines.
const LIMIT_US: u64 = 600_000_000;

/// The core and its activities.
struct Shared<'a> {
    core: &'a mut Core<Handle>,
    hardware: Rc<Hardware>,
    steps: vec::IntoIter<BootStep>,
    warnings: &'a mut Vec<String>,
}

/// Takes the steps of `probing` that are ready and does everything that follows from them, on two
/// CPUs; returns what they did, for the report.
///
/// # Errors
///
/// The steps were not finished before the deadline; the error is a text.
pub(crate) fn run(
    cpu: &mut SecondCpu,
    probing: &mut Probing,
    seed: u64,
    warnings: &mut Vec<String>,
) -> Result<Finding, TwoCpuError> {
    // Always fair: there are only some hundred pieces, and the pieces of both CPUs should
    // interleave.
    let pace = Pace { seed, longest_pause: LONGEST_PAUSE, fair_us: LIMIT_US, limit_us: LIMIT_US };
    let (mut coin, mut dice) = (Random(seed), Random(!seed));
    let steps = probing.ready_steps().into_iter();
    let machine = Shared { core: &mut probing.core, hardware: probing.hardware.clone(), steps, warnings };
    // SAFETY: Everything that the core, its drivers, the steps and the hardware share is also
    // reachable by callers of this function. They wait for it, and it only waits until the CPUs are
    // done and the value is returned.
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
        place: format!("CPU 1 (affinity {})", cpu.affinity()),
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
