//! Runs a scenario from a file of the host on two CPUs (`race=`).
//!
//! The machine is a model; the core that probes it is the same as in a boot. The first CPU walks
//! the buses for IOMMUs, the second one binds their users, and real timing decides how their pieces
//! interleave.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use kernel::Random;
use kernel::machine::semihosting;
use probe::Path;
use report::{BrokenInRace, ReachedInRace};
use scenario::{BINDER, Race, Results, Scenario, WALKER};

use crate::two_cpus::confined::Confined;
use crate::two_cpus::error::TwoCpuError;
use crate::two_cpus::options::TwoCpuOptions;
use crate::two_cpus::rounds::{Pace, work};
use crate::two_cpus::second_cpu::SecondCpu;

/// Longest pause between two pieces, in polls of a waiting CPU: about the time of a few pieces.
const LONGEST_PAUSE: u64 = 64;

/// The second CPU begins an activity in one of this many of its turns: about as many as a walk has
/// pieces.
const HESITATION: u64 = 8;

/// Time in which the CPUs queue for the lock, in microseconds. On a busy host each turn then costs
/// a time slice, but the CPUs really alternate in these rounds. Otherwise a whole walk can fit into
/// one slice, and no window is ever hit.
const FAIR_US: u64 = 5_000_000;

/// Deadline for all rounds, in microseconds.
const LIMIT_US: u64 = 600_000_000;

/// Runs the scenario in `file` on `path`, for the number of rounds in `options`.
///
/// # Errors
///
/// The file cannot be read or is not a scenario, or the rounds did not end before the deadline.
pub(crate) fn run(
    cpu: &mut SecondCpu,
    file: &str,
    path: Path,
    options: &TwoCpuOptions,
) -> Result<report::Race, TwoCpuError> {
    let TwoCpuOptions { rounds, seed, .. } = *options;
    let text =
        semihosting::read_file(file).map_err(|error| TwoCpuError::File { file: file.to_string(), error })?;
    let scenario: Scenario =
        serde_json::from_slice(&text).map_err(|error| TwoCpuError::Json { file: file.to_string(), error })?;
    let about = scenario.about.clone();
    let expected = breakable(&scenario, path);
    let race = Race::new(scenario, path, rounds)
        .map_err(|error| TwoCpuError::Scenario { file: file.to_string(), error })?;

    let pace = Pace { seed, longest_pause: LONGEST_PAUSE, fair_us: FAIR_US, limit_us: LIMIT_US };
    let (mut coin, mut dice) = (Random(seed), Random(!seed));
    // SAFETY: The race owns all its values and shares none of them.
    let race = unsafe { Confined::new(race) };
    let (race, tally) = work(
        cpu,
        race,
        &pace,
        |race| race.turn(WALKER, coin.one_in(2)),
        |race| race.turn(BINDER, dice.one_in(HESITATION)),
    );
    let race = race.into_inner();
    let results = race.results();
    if tally.overdue {
        return Err(TwoCpuError::RaceOverdue { file: file.to_string(), done: results.rounds, rounds });
    }
    let not_provoked = expected.into_iter().filter(|id| !results.broken.contains_key(id.as_str()));
    Ok(report::Race {
        about,
        path: path.to_string(),
        seed,
        rounds: results.rounds,
        pieces: tally.pieces,
        switches: tally.switches,
        broken: broken(results),
        not_provoked: not_provoked.collect(),
        partitions: partitions(results),
    })
}

/// Invariants that, according to the scenario, some order of its steps violates on a path.
fn breakable(scenario: &Scenario, path: Path) -> Vec<String> {
    let expect = scenario.expect.get(path.word());
    expect.and_then(|expect| expect.some_order_breaks.clone()).unwrap_or_default()
}

fn broken(results: &Results) -> Vec<BrokenInRace> {
    let each = results.broken.iter().map(|(id, breaks)| BrokenInRace {
        id: (*id).to_string(),
        rounds: breaks.rounds,
        first_round: breaks.first,
        broken_by: breaks.by.clone(),
    });
    each.collect()
}

fn partitions(results: &Results) -> Vec<ReachedInRace> {
    let each = results.partitions.iter().map(|(partition, rounds)| ReachedInRace {
        groups: partition.iter().map(|members| members.iter().cloned().collect()).collect(),
        rounds: *rounds,
    });
    each.collect()
}
