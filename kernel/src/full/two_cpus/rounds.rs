//! Two CPUs that work on one value, piece by piece.
//!
//! A piece is work that is done under the lock; between two pieces the lock is free, and the other
//! CPU may take it. After each piece a CPU pauses for a pseudo-random time, so that rounds with
//! different seeds interleave differently, and rounds with the same seed similarly.

use boot::cpu::relax;
use kernel::Random;
use kernel::machine::clock;
use scenario::TurnOutcome;
use sync::Latch;

use crate::two_cpus::lock::Lock;
use crate::two_cpus::second_cpu::SecondCpu;

/// Parameters of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The seed of the pauses.
    pub(crate) seed: u64,
    /// The longest pause, in polls of a waiting CPU.
    pub(crate) longest_pause: u64,
    /// Time for which both CPUs queue for the lock, in microseconds, so that they alternate even if
    /// that is slow on a busy host. After that, each takes the lock when it is free.
    pub(crate) fair_us: u64,
    /// Time after which both CPUs stop, in microseconds, even if their work is not finished.
    pub(crate) limit_us: u64,
}

/// Results of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Number of pieces that each CPU did.
    pub(crate) pieces: [u64; 2],
    /// Number of times that the CPU changed between two pieces.
    pub(crate) switches: u64,
    /// Whether the deadline passed before the work was finished.
    pub(crate) overdue: bool,
}

/// The data behind the lock.
struct Shared<T> {
    value: T,
    tally: Tally,
    /// The CPU that did the last piece.
    last: Option<usize>,
}

/// One round: this CPU calls `first` repeatedly and the second CPU calls `second`, each with
/// exclusive access to the value, until both report that they are finished. Returns the value and
/// the results.
///
/// Both begin at the same time.
pub(crate) fn work<T: Send>(
    cpu: &mut SecondCpu,
    value: T,
    pace: &Pace,
    first: impl FnMut(&mut T) -> TurnOutcome,
    second: impl FnMut(&mut T) -> TurnOutcome + Send,
) -> (T, Tally) {
    let shared = Lock::new(Shared { value, tally: Tally::default(), last: None });
    let round = Round { shared: &shared, stop: Latch::new(), pace };
    cpu.join(|| round.run(0, first), || round.run(1, second));
    let overdue = round.stop.is_set();
    let Shared { value, tally, .. } = shared.into_inner();
    (value, Tally { overdue, ..tally })
}

struct Round<'a, T> {
    shared: &'a Lock<Shared<T>>,
    /// The deadline has passed.
    stop: Latch,
    pace: &'a Pace,
}

impl<T> Round<'_, T> {
    /// The work of the CPU with number `me`.
    fn run(&self, me: usize, mut body: impl FnMut(&mut T) -> TurnOutcome) {
        let mut random = Random(self.pace.seed ^ (me as u64) << 32);
        let began_us = clock::micros();
        loop {
            let elapsed_us = clock::micros().saturating_sub(began_us);
            if elapsed_us > self.pace.limit_us {
                self.stop.set();
            }
            let is_fair = elapsed_us < self.pace.fair_us;
            let mut shared = if is_fair { self.shared.lock() } else { self.shared.lock_unqueued() };
            let piece = body(&mut shared.value);
            if piece == TurnOutcome::Did {
                shared.tally.pieces[me] += 1;
                if shared.last.replace(me).is_some_and(|last| last != me) {
                    shared.tally.switches += 1;
                }
            }
            drop(shared);
            if piece == TurnOutcome::Over || self.stop.is_set() {
                return;
            }
            for _ in 0..random.up_to(self.pace.longest_pause) {
                relax();
            }
        }
    }
}
