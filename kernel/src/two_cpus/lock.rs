//! A value that two CPUs use in turn.
//!
//! Two ways lead to it. [`Lock::lock`] queues: it is fair, and two CPUs that both want the value alternate. That can be
//! slow. An emulator's CPU is a thread of the host, which stops it at any time, and while the next in the queue is
//! stopped nobody goes on: where host CPUs are fewer than busy threads, each turn costs a time slice.
//! [`Lock::lock_unqueued`] takes the lock when it happens to be free, and queues only after a long wait.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use kernel::machine::spin_deadline::SpinDeadline;
use sync::{TicketLock, Turn};

/// Longest wait for a lock, in microseconds: whoever holds one that long will not let go of it.
const LIMIT_US: u64 = 20_000_000;

/// Microseconds after which a CPU queues: several time slices of a host.
const UNQUEUED_US: u64 = 50_000;

/// A value behind a lock.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    turns: TicketLock,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached by whoever has the lock's only turn, by `lock`, or owns the lock. That is as if it were
// sent from CPU to CPU.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The value, as long as it is this CPU's turn.
#[derive(Debug)]
pub(crate) struct Locked<'a, T> {
    lock: &'a Lock<T>,
    /// Ends when this is dropped.
    _turn: Turn<'a>,
    /// Two CPUs must not share this: a value that is `Send` may still not be used by both at once.
    _here: PhantomData<*mut T>,
}

impl<T> Lock<T> {
    /// Puts `value` behind a lock that is free.
    pub(crate) const fn new(value: T) -> Self {
        Self { turns: TicketLock::new(), value: UnsafeCell::new(value) }
    }

    /// Waits for this CPU's turn with the value, in the order of arrival.
    ///
    /// # Panics
    ///
    /// The lock is not let go of within [`LIMIT_US`]; so if this CPU has it already.
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let mut deadline = SpinDeadline::new(LIMIT_US, "a lock");
        self.locked(self.turns.acquire(|| deadline.wait()))
    }

    /// Waits until the lock is free, or for this CPU's turn if it is not for [`UNQUEUED_US`].
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

    fn locked<'a>(&'a self, turn: Turn<'a>) -> Locked<'a, T> {
        Locked { lock: self, _turn: turn, _here: PhantomData }
    }

    /// The value, which nobody shares any more.
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
