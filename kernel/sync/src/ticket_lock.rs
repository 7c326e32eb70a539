//! Mutual exclusion in the order of arrival.

use crate::atomic::{AtomicU32, Ordering, constructor};

/// A lock that one CPU at a time holds, in the order of arrival.
///
/// The lock is fair because otherwise a CPU that takes it repeatedly could starve the other one: it
/// owns the cache line and the emulator's time slice.
///
/// All writes before the end of a [`TicketGuard`] are visible in all later turns.
///
/// It does not use `spin`'s `TicketMutex` because a wait here may have a deadline: if the other CPU
/// does not release the lock, the caller panics and names the lock. The wait function of `spin` has
/// no state, and `spin` does not run under loom.
#[derive(Debug)]
pub struct TicketLock {
    /// The next ticket to be drawn.
    next: AtomicU32,
    /// The ticket whose turn it is; the lock is free if this ticket has not been drawn.
    serving: AtomicU32,
}

/// The right to use what the lock guards, until this is dropped.
#[derive(Debug)]
pub struct TicketGuard<'a> {
    lock: &'a TicketLock,
    ticket: u32,
}

impl TicketLock {
    constructor! {
        /// A lock that is free.
        new: Self { next: AtomicU32::new(0), serving: AtomicU32::new(0) }
    }

    /// Waits until it is the caller's turn, and calls `wait` for as long as it is not.
    ///
    /// A caller that already holds the lock waits for ever. A caller cannot leave the queue: a
    /// `wait` that gives up must not return.
    pub fn acquire(&self, mut wait: impl FnMut()) -> TicketGuard<'_> {
        // Only the order of tickets matters here; `serving` makes the writes visible.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        // Acquire: the writes of all earlier turns are visible from here on.
        while self.serving.load(Ordering::Acquire) != ticket {
            wait();
        }
        TicketGuard { lock: self, ticket }
    }

    /// Takes the lock if no CPU holds it or waits for it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<TicketGuard<'_>> {
        // Acquire, as in `acquire`: if the ticket can still be drawn then this is the latest value.
        let ticket = self.serving.load(Ordering::Acquire);
        let following = ticket.wrapping_add(1);
        self.next.compare_exchange(ticket, following, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(TicketGuard { lock: self, ticket })
    }
}

#[cfg(not(test))]
impl Default for TicketLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TicketGuard<'_> {
    fn drop(&mut self) {
        // Release: the next turn sees the writes of this one. No other CPU writes here now.
        self.lock.serving.store(self.ticket.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
