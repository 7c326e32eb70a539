//! Tests whether two CPUs really run at the same time, and whether the lock excludes one of them
//! (`smp-test=`).
//!
//! One CPU produces pieces, the other one consumes them, and both count in a plain number under the
//! lock: the count must be exact. Then both count without a lock, by a load and a store. Increments
//! get lost, and each CPU reads values that the other one has stored, repeatedly if they run at the
//! same time. If they do not, they take turns anyway, and the first test proves little. Both also
//! use the heap concurrently.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use boot::cpu::relax;
use kernel::machine::clock;
use report::TwoCpus;
use scenario::TurnOutcome;

use crate::two_cpus::error::TwoCpuError;
use crate::two_cpus::rounds::{Pace, Tally, work};
use crate::two_cpus::second_cpu::SecondCpu;

/// Number of rounds with the lock, each with another seed.
const ROUNDS: u64 = 8;

/// Deadline for one round, in microseconds.
const ROUND_LIMIT_US: u64 = 10_000_000;

/// Time of a round in which the lock is fair, in microseconds.
const FAIR_US: u64 = 200_000;

/// Longest pause between two pieces: the time of a few pieces, so that the lock is sometimes free
/// and sometimes not.
const LONGEST_PAUSE: u64 = 16;

/// Duration of counting, in polls of a waiting CPU: about that of a pause.
const COUNTING: u64 = 10;

/// Number of heap blocks that each CPU allocates.
const BLOCKS: u64 = 10_000;

/// Size of the largest block, in words.
const LARGEST_BLOCK: usize = 61;

/// Increments by each CPU in one trial without the lock.
const UNLOCKED: u64 = 1_000_000;

/// Minimum number of interleavings in a trial that shows concurrency. An emulator that runs the
/// CPUs in turn switches between them once or twice in a trial.
const MEETINGS: u64 = 100;

/// Time limit for trials that do not show concurrency, in microseconds.
const UNLOCKED_LIMIT_US: u64 = 10_000_000;

/// Runs rounds in which each CPU does `pieces` pieces.
///
/// # Errors
///
/// Pieces were lost under the lock.
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

/// A producer and a consumer, like a walk and the binds that it queues.
#[derive(Default)]
struct Stock {
    /// Number of pieces produced.
    made: u64,
    /// Number of pieces consumed.
    used: u64,
    /// Pieces by both.
    counted: u64,
}

impl Stock {
    /// Produces one of `wanted` pieces.
    fn add(&mut self, wanted: u64) -> TurnOutcome {
        if self.made == wanted {
            return TurnOutcome::Over;
        }
        self.made += 1;
        self.count();
        TurnOutcome::Did
    }

    /// Counts a piece slowly, so that a lack of exclusion would show.
    fn count(&mut self) {
        let counted = self.counted;
        for _ in 0..COUNTING {
            relax();
        }
        self.counted = counted + 1;
    }

    /// Consumes one piece; finished after `wanted`.
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

/// The counts of both CPUs in all rounds, and their results.
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

/// Allocates blocks and frees them; counts those whose content is not what CPU `me` has written.
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

/// Results of counting without a lock.
#[derive(Clone, Copy, Debug, Default)]
struct Unlocked {
    /// Increments in all trials.
    tried: u64,
    /// Number of lost increments.
    lost: u64,
    /// The largest number of times in one trial that a CPU saw the other one's increments between
    /// two of its own.
    meetings: u64,
}

/// Counts without a lock until a trial shows concurrency or the time limit has passed.
fn count_without_lock(cpu: &mut SecondCpu) -> Unlocked {
    let began = clock::micros();
    let mut sum = Unlocked::default();
    while sum.meetings < MEETINGS && clock::micros() - began < UNLOCKED_LIMIT_US {
        let count = AtomicU64::new(0);
        let add = || {
            let (mut left, mut meetings) = (None, 0);
            for _ in 0..UNLOCKED {
                // A load and a store: increments of the other CPU between them are lost.
                let found = count.load(Ordering::Relaxed);
                count.store(found + 1, Ordering::Relaxed);
                // Otherwise the next load is answered from the CPU's own store buffer and never
                // sees the other CPU's store.
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
