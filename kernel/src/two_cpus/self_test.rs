//! Whether two CPUs really run at the same time here, and whether the lock keeps them apart (`smp-test=`).
//!
//! One CPU makes pieces and the other one uses them up, and both count in a plain number under the lock: none may be
//! missing. Then both count without a lock, by a load and a store. Increments get lost; and each CPU meets what the
//! other one has stored, again and again if they run at the same time. If not they take turns anyway, and the first
//! count says little. In between both use the heap.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use boot::cpu::relax;
use kernel::machine::clock;
use report::TwoCpus;
use scenario::TurnOutcome;

use crate::error::TwoCpuError;
use crate::rounds::{Pace, Tally, work};
use crate::second_cpu::SecondCpu;

/// Rounds with the lock, each with a seed of its own.
const ROUNDS: u64 = 8;

/// Microseconds for one of them.
const ROUND_LIMIT_US: u64 = 10_000_000;

/// Microseconds of a round in which the lock is fair.
const FAIR_US: u64 = 200_000;

/// Longest pause between two pieces: as long as a few pieces take, so that some find the lock free, others not.
const LONGEST_PAUSE: u64 = 16;

/// How long counting takes, in looks of a waiting CPU: about as long as a pause.
const COUNTING: u64 = 10;

/// Blocks of the heap that each CPU takes.
const BLOCKS: u64 = 10_000;

/// Words of the largest of them.
const LARGEST_BLOCK: usize = 61;

/// Increments by each CPU in one trial without the lock.
const UNLOCKED: u64 = 1_000_000;

/// How often CPUs meet in a trial if they run at the same time. An emulator that runs them in turn changes from one to
/// the other once or twice meanwhile.
const MEETINGS: u64 = 100;

/// Microseconds for trials that do not show it.
const UNLOCKED_LIMIT_US: u64 = 10_000_000;

/// Has the second CPU do `pieces` pieces a round, and this one as many.
///
/// # Errors
///
/// Pieces were lost under the lock, in words.
pub(crate) fn run(cpu: &mut SecondCpu, pieces: u32) -> Result<TwoCpus, TwoCpuError> {
    let (counted, tally) = count_with_lock(cpu, pieces.into())?;
    let wanted = 2 * ROUNDS * u64::from(pieces);
    if counted != wanted {
        return Err(TwoCpuError::Lock { counted, wanted });
    }
    let (here, there) = cpu.join(|| spoilt_blocks(0), || spoilt_blocks(1));
    if here + there > 0 {
        return Err(TwoCpuError::Heap { here, there });
    }
    let unlocked = count_without_lock(cpu);
    Ok(TwoCpus {
        affinity: cpu.affinity().to_string(),
        rounds: ROUNDS,
        pieces: tally.pieces,
        counted,
        switches: tally.switches,
        unlocked: unlocked.tried,
        lost_unlocked: unlocked.lost,
        at_the_same_time: unlocked.meetings >= MEETINGS,
    })
}

/// What one CPU makes and the other one uses up: as one walks and the other one binds what the walk has left.
#[derive(Default)]
struct Stock {
    /// Made, ever.
    made: u64,
    /// Used up, ever.
    used: u64,
    /// Pieces by both.
    counted: u64,
}

impl Stock {
    /// Makes one of `wanted`.
    fn add(&mut self, wanted: u64) -> TurnOutcome {
        if self.made == wanted {
            return TurnOutcome::Over;
        }
        self.made += 1;
        self.count();
        TurnOutcome::Did
    }

    /// Counts a piece, slowly: if anything lets the other CPU come in between, it has the time to.
    fn count(&mut self) {
        let counted = self.counted;
        for _ in 0..COUNTING {
            relax();
        }
        self.counted = counted + 1;
    }

    /// Uses one up, until `wanted` are.
    fn use_up(&mut self, wanted: u64) -> TurnOutcome {
        if self.used == wanted {
            TurnOutcome::Over
        } else if self.used == self.made {
            TurnOutcome::Waits
        } else {
            self.used += 1;
            self.count();
            TurnOutcome::Did
        }
    }
}

/// What was counted by both CPUs in all rounds, and what they did.
fn count_with_lock(cpu: &mut SecondCpu, pieces: u64) -> Result<(u64, Tally), TwoCpuError> {
    let mut counted = 0;
    let mut sum = Tally::default();
    for seed in 0..ROUNDS {
        let pace = Pace { seed, longest_pause: LONGEST_PAUSE, fair_us: FAIR_US, limit_us: ROUND_LIMIT_US };
        let (stock, tally) = work(cpu, Stock::default(), &pace, |s| s.add(pieces), |s| s.use_up(pieces));
        counted += stock.counted;
        sum.switches += tally.switches;
        for (sum, pieces) in sum.pieces.iter_mut().zip(tally.pieces) {
            *sum += pieces;
        }
        if tally.overdue {
            return Err(TwoCpuError::SelfTestOverdue { round: seed, pieces: tally.pieces });
        }
    }
    Ok((counted, sum))
}

/// Takes blocks from the heap and gives them back, and counts those in which is not what CPU `me` has written.
fn spoilt_blocks(me: u64) -> u64 {
    let mut kept: [Vec<u64>; 8] = Default::default();
    let mut spoilt = 0;
    for number in 0..BLOCKS {
        let mark = number << 1 | me;
        let block = vec![mark; 1 + number as usize % LARGEST_BLOCK];
        let old = mem::replace(&mut kept[number as usize % 8], block);
        spoilt += u64::from(old.iter().any(|word| *word != old[0] || *word & 1 != me));
    }
    spoilt
}

/// What counting without a lock came to.
#[derive(Clone, Copy, Debug, Default)]
struct Unlocked {
    /// Increments in all trials.
    tried: u64,
    /// How many of them were lost.
    lost: u64,
    /// How often, in the trial in which it was most often, a CPU met the other one's steps between two of its own.
    meetings: u64,
}

/// Counts without a lock until a trial shows that both CPUs run at the same time, or the time is over.
fn count_without_lock(cpu: &mut SecondCpu) -> Unlocked {
    let began = clock::micros();
    let mut sum = Unlocked::default();
    while sum.meetings < MEETINGS && clock::micros() - began < UNLOCKED_LIMIT_US {
        let count = AtomicU64::new(0);
        let add = || {
            let (mut left, mut meetings) = (None, 0);
            for _ in 0..UNLOCKED {
                // Two steps, not one: what the other CPU adds between them is lost.
                let found = count.load(Ordering::Relaxed);
                count.store(found + 1, Ordering::Relaxed);
                // Else the next load is answered from the CPU's own store buffer, and never meets the other CPU.
                fence(Ordering::SeqCst);
                meetings += u64::from(left.is_some_and(|left| left != found));
                left = Some(found + 1);
            }
            meetings
        };
        let (here, there) = cpu.join(add, add);
        sum.tried += 2 * UNLOCKED;
        sum.lost += 2 * UNLOCKED - count.into_inner();
        sum.meetings = sum.meetings.max(here + there);
    }
    sum
}
