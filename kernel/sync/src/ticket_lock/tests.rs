//! The lock in every interleaving of two CPUs.

extern crate std;

use std::sync::Arc;

use loom::thread;

use super::*;

/// A lock, and a count that it guards. Loads and stores of the count are relaxed: an increment that
/// overlaps another one, or does not see it, loses it.
struct Guarded {
    lock: TicketLock,
    count: AtomicU32,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self { lock: TicketLock::new(), count: AtomicU32::new(0) })
    }

    fn turn(&self) -> TicketGuard<'_> {
        self.lock.acquire(thread::yield_now)
    }

    /// Increments the count in a turn; returns the count before.
    fn touch(&self, _turn: &TicketGuard<'_>) -> u32 {
        let found = self.count.load(Ordering::Relaxed);
        self.count.store(found + 1, Ordering::Relaxed);
        found
    }
}

#[test]
fn turns_exclude_each_other_and_see_what_earlier_turns_wrote() {
    loom::model(|| {
        let guarded = Guarded::new();
        let other = thread::spawn({
            let guarded = guarded.clone();
            move || {
                for _ in 0..2 {
                    let turn = guarded.turn();
                    guarded.touch(&turn);
                }
            }
        });
        let turn = guarded.turn();
        guarded.touch(&turn);
        drop(turn);
        other.join().unwrap();
        assert_eq!(guarded.touch(&guarded.turn()), 3);
    });
}

#[test]
fn try_acquire_excludes_other_turns_too() {
    loom::model(|| {
        let guarded = Guarded::new();
        let other = thread::spawn({
            let guarded = guarded.clone();
            move || {
                let turn = guarded.lock.try_acquire();
                turn.map_or(0, |turn| {
                    guarded.touch(&turn);
                    1
                })
            }
        });
        let turn = guarded.turn();
        guarded.touch(&turn);
        drop(turn);
        let by_other = other.join().unwrap();
        assert_eq!(guarded.touch(&guarded.turn()), 1 + by_other);
    });
}

#[test]
fn the_first_to_arrive_goes_first() {
    loom::model(|| {
        let guarded = Guarded::new();
        let turn = guarded.turn();
        let other = thread::spawn({
            let guarded = guarded.clone();
            move || guarded.touch(&guarded.turn())
        });
        // Until the other CPU has drawn its ticket.
        while guarded.lock.next.load(Ordering::Relaxed) == 1 {
            thread::yield_now();
        }
        assert!(guarded.lock.try_acquire().is_none());
        drop(turn);
        assert_eq!(guarded.touch(&guarded.turn()), 1);
        assert_eq!(other.join().unwrap(), 0);
    });
}

#[test]
fn tickets_wrap_around() {
    loom::model(|| {
        let lock = TicketLock { next: AtomicU32::new(u32::MAX), serving: AtomicU32::new(u32::MAX) };
        drop(lock.try_acquire().expect("it is free"));
        drop(lock.acquire(|| panic!("it is free")));
        let turn = lock.acquire(|| panic!("it is free"));
        assert_eq!(turn.ticket, 1);
    });
}
