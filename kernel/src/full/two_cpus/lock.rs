//! A value that two CPUs use in turn.
//!
//! [`Lock::lock`] queues: it is fair, and two CPUs that both want the value alternate. That can be
//! slow: an emulator's CPU is a thread that the host may stop at any time, and no CPU proceeds
//! while the next one in the queue is stopped. With fewer host CPUs than busy threads, each turn
//! costs a time slice. [`Lock::lock_unqueued`] takes the lock when it is free, and queues only
//! after a long wait.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use kernel::machine::spin_deadline::SpinDeadline;
use sync::{TicketGuard, TicketLock};

/// Longest wait for a lock, in microseconds: a CPU that holds a lock for that long hangs.
const LIMIT_US: u64 = 20_000_000;

/// Time after which a CPU queues, in microseconds: several time slices of a host.
const UNQUEUED_US: u64 = 50_000;

/// A value behind a lock.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    turns: TicketLock,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is only accessed with the lock's single turn, through `lock`, or by the owner of
// the lock. That is equivalent to sending it from CPU to CPU.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Access to the value during this CPU's turn.
#[derive(Debug)]
pub(crate) struct Locked<'a, T> {
    lock: &'a Lock<T>,
    /// The turn ends when this is dropped.
    _turn: TicketGuard<'a>,
    /// Two CPUs must not share this: a value that is `Send` may still not be used by both at once.
    _here: PhantomData<*mut T>,
}

impl<T> Lock<T> {
    /// Puts `value` behind a free lock.
    pub(crate) const fn new(value: T) -> Self {
        Self { turns: TicketLock::new(), value: UnsafeCell::new(value) }
    }

    /// Waits for this CPU's turn with the value, in the order of arrival.
    ///
    /// # Panics
    ///
    /// The lock is not released within [`LIMIT_US`], for example because this CPU already holds it.
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let mut deadline = SpinDeadline::new(LIMIT_US, "a lock");
        self.locked(self.turns.acquire(|| deadline.wait()))
    }

    /// Waits until the lock is free; if it is not free within [`UNQUEUED_US`], queues for this
    /// CPU's turn.
    ///
    /// # Panics
    ///
    /// As [`Self::lock`].
    pub(crate) fn lock_unqueued(&self) -> Locked<'_, T> {
        let mut deadline = SpinDeadline::new(UNQUEUED_US, "a lock that is free");
        loop {
            match self.turns.try_acquire() {
                Some(turn) => return self.locked(turn),
                None if deadline.is_open() => {}
                None => return self.lock(),
            }
        }
    }

    fn locked<'a>(&'a self, turn: TicketGuard<'a>) -> Locked<'a, T> {
        Locked { lock: self, _turn: turn, _here: PhantomData }
    }

    /// Returns the value, which is no longer shared.
    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: This is the only turn, and it lasts as long as the reference; `deref_mut` has borrowed it if it
        // was called.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: This is the only turn, and it is borrowed for as long as the reference lasts.
        unsafe { &mut *self.lock.value.get() }
    }
}
