//! Two CPUs that work on one value, piece by piece.
//!
//! A piece is what is done under the lock; between two pieces the lock is free, and the other CPU may have it. After
//! each piece a CPU pauses for a moment of pseudo-random length, so that rounds with different seeds interleave
//! differently, and one seed does so in much the same way again.

use boot::cpu::relax;
use kernel::Random;
use kernel::machine::clock;
use scenario::TurnOutcome;
use sync::Latch;

use crate::lock::Lock;
use crate::second_cpu::SecondCpu;

/// How two CPUs go about a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Where the pauses come from.
    pub(crate) seed: u64,
    /// The longest pause, in looks of a waiting CPU.
    pub(crate) longest_pause: u64,
    /// Microseconds for which both queue for the lock, so that they alternate, whatever that costs on a busy host.
    /// After that each takes it when it is free.
    pub(crate) fair_us: u64,
    /// Microseconds after which both stop, whether or not their work is over.
    pub(crate) limit_us: u64,
}

/// What two CPUs did in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Pieces that each CPU did.
    pub(crate) pieces: [u64; 2],
    /// How often a piece was done by the other CPU than the piece before.
    pub(crate) switches: u64,
    /// Whether the time was over before the work was.
    pub(crate) overdue: bool,
}

/// What is behind the lock.
struct Shared<T> {
    value: T,
    tally: Tally,
    /// Who did the last piece.
    last: Option<usize>,
}

/// One round: this CPU does `first` again and again and the second one `second`, each time with the value to itself,
/// until both say that it is over. Gives the value back, and what was done.
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
    /// The time is over.
    stop: Latch,
    pace: &'a Pace,
}

impl<T> Round<'_, T> {
    /// The part of the CPU with number `me`.
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
