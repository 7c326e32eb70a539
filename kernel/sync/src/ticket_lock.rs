//! Mutual exclusion in the order of arrival.

use crate::atomic::{AtomicU32, Ordering, constructor};

/// A lock that lets one CPU at a time go on, in the order in which they came.
///
/// Fair, because a CPU that takes the lock again and again would otherwise keep the other one out for as long
/// as it likes: the cache line is its own, and so is the emulator's time slice.
///
/// What a CPU wrote before it ended its [`Turn`] is visible to all later turns.
///
/// It is not `spin`'s `TicketMutex`, as a wait here may have a deadline: the caller waits, and panics with the name of
/// what it waits for when the other CPU does not let go. `spin` waits by a function without state. Nor does `spin` run
/// under loom.
#[derive(Debug)]
pub struct TicketLock {
    /// The next ticket to be drawn.
    next: AtomicU32,
    /// The ticket whose turn it is; the lock is free if nobody has drawn it.
    serving: AtomicU32,
}

/// The right to go on; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
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
    /// Who holds the lock already waits for ever. A caller that has come once cannot leave the queue: a `wait`
    /// that gives up must not return.
    pub fn acquire(&self, mut wait: impl FnMut()) -> Turn<'_> {
        // The order of tickets is all that is needed here; what was written is learned from `serving`.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        // Acquire: what the turns before this one wrote is visible from here on.
        while self.serving.load(Ordering::Acquire) != ticket {
            wait();
        }
        Turn { lock: self, ticket }
    }

    /// The lock, if nobody has it or waits for it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Turn<'_>> {
        // Acquire, as in `acquire`: if the ticket can still be drawn then this is the latest value.
        let ticket = self.serving.load(Ordering::Acquire);
        let following = ticket.wrapping_add(1);
        self.next.compare_exchange(ticket, following, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(Turn { lock: self, ticket })
    }
}

#[cfg(not(test))]
impl Default for TicketLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Release: whoever sees that its turn has come sees what this turn wrote. Nobody else writes here now.
        self.lock.serving.store(self.ticket.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
