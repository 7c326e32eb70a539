//! The flag in the interleavings of two CPUs.

extern crate std;

use std::sync::Arc;

use loom::thread;

use super::*;
use crate::TicketLock;
use crate::atomic::AtomicU32;

#[test]
fn writes_before_the_flag_are_visible_after_it() {
    loom::model(|| {
        let shared = Arc::new((Latch::new(), AtomicU32::new(0)));
        let other = thread::spawn({
            let shared = shared.clone();
            move || {
                let (ready, value) = &*shared;
                value.store(7, Ordering::Relaxed);
                ready.set();
            }
        });
        let (ready, value) = &*shared;
        if ready.is_set() {
            assert_eq!(value.load(Ordering::Relaxed), 7);
        }
        other.join().unwrap();
        assert!(ready.is_set());
    });
}

/// The bound on preemptions: every interleaving with at most this many is tried. A higher bound
/// takes minutes and has shown nothing else.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(check);
}

/// How two CPUs share a walk: one adds work under the lock, piece by piece, and sets a flag when
/// there will be no more; the other one takes pieces until the walk is over and nothing is left. It
/// must read the flag first and the queue second: in the other order it would miss work that was
/// added between the two reads.
#[test]
fn no_work_is_left_behind_when_the_walk_is_over() {
    model(|| {
        let shared = Arc::new((TicketLock::new(), Latch::new(), AtomicU32::new(0)));
        let walker = thread::spawn({
            let shared = shared.clone();
            move || {
                let (lock, over, work) = &*shared;
                for _ in 0..2 {
                    let _turn = lock.acquire(thread::yield_now);
                    work.store(work.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                }
                over.set();
            }
        });
        let (lock, over, work) = &*shared;
        let mut done = 0;
        loop {
            let was_over = over.is_set();
            let turn = lock.acquire(thread::yield_now);
            let left = work.load(Ordering::Relaxed);
            work.store(0, Ordering::Relaxed);
            drop(turn);
            done += left;
            if was_over && left == 0 {
                break;
            }
            thread::yield_now();
        }
        walker.join().unwrap();
        assert_eq!(done, 2);
    });
}
