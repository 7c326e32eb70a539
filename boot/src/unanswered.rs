//! Accesses to device registers that had no answer: where they were, and how many.
//!
//! Firmware decides where the kernel looks for registers, and may be wrong. On the bus such a read gives all ones
//! and such a write is dropped, as PCI has it; on the CPU it is a synchronous external abort. The exception handler
//! turns the second into the first, notes the address here, and the run goes on; the report lists what was noted.
//!
//! Nothing here is the heap or a lock that the interrupted code could hold.

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use addr::{PhysAddr, Range};
use sync::TicketLock;

/// Accesses in all that are let pass. One more ends the run: code that goes on so long does not look at what it reads.
/// A scan of 256 buses makes 8,192 for each time that it looks at all of them.
pub const LIMIT: u32 = 1 << 20;

/// Separate places that are told apart; more are only counted.
const PLACES: usize = 16;

/// Addresses that are at most so far apart belong to one place: a scan of configuration space steps over a bus with
/// each look at most.
const DISTANCE: u64 = 1 << 20;

/// Addresses close to each other at which there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the lowest address that was accessed to the highest.
    pub range: Range<PhysAddr>,
    /// Reads that were answered with all ones.
    pub reads: u32,
    /// Writes that were dropped.
    pub writes: u32,
}

struct Entry {
    first: AtomicU64,
    last: AtomicU64,
    reads: AtomicU32,
    writes: AtomicU32,
}

/// All that was noted.
pub(crate) struct Notes {
    /// Held while something is noted or read.
    turns: TicketLock,
    places: [Entry; PLACES],
    used: AtomicUsize,
    total: AtomicU32,
    elsewhere: AtomicU32,
}

impl Notes {
    pub(crate) const fn new() -> Self {
        Self {
            turns: TicketLock::new(),
            places: [const { Entry::new() }; PLACES],
            used: AtomicUsize::new(0),
            total: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
        }
    }

    /// Notes an access to `address`; false if there were more than [`LIMIT`].
    pub(crate) fn add(&self, address: u64, is_write: bool) -> bool {
        let _turn = self.turns.acquire(core::hint::spin_loop);
        if self.total.fetch_add(1, Ordering::Relaxed) >= LIMIT {
            self.total.store(LIMIT, Ordering::Relaxed);
            return false;
        }
        let used = self.used.load(Ordering::Relaxed);
        let known = self.places[..used].iter().find(|entry| entry.is_near(address));
        let entry = known.or_else(|| {
            let new = self.places.get(used)?;
            new.first.store(address, Ordering::Relaxed);
            new.last.store(address, Ordering::Relaxed);
            self.used.store(used + 1, Ordering::Relaxed);
            Some(new)
        });
        match entry {
            Some(entry) => {
                entry.first.fetch_min(address, Ordering::Relaxed);
                entry.last.fetch_max(address, Ordering::Relaxed);
                (if is_write { &entry.writes } else { &entry.reads }).fetch_add(1, Ordering::Relaxed);
            }
            None => {
                self.elsewhere.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// The places in the order in which they were met, and how many accesses went elsewhere.
    fn read(&self, place: &mut dyn FnMut(Place)) -> u32 {
        let _turn = self.turns.acquire(core::hint::spin_loop);
        for entry in &self.places[..self.used.load(Ordering::Relaxed)] {
            let [first, last] = [&entry.first, &entry.last].map(|at| PhysAddr(at.load(Ordering::Relaxed)));
            let [reads, writes] = [&entry.reads, &entry.writes].map(|count| count.load(Ordering::Relaxed));
            if let Some(range) = Range::new(first, last) {
                place(Place { range, reads, writes });
            }
        }
        self.elsewhere.load(Ordering::Relaxed)
    }
}

impl Entry {
    const fn new() -> Self {
        Self {
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            reads: AtomicU32::new(0),
            writes: AtomicU32::new(0),
        }
    }

    fn is_near(&self, address: u64) -> bool {
        let (first, last) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        (first.saturating_sub(DISTANCE)..=last.saturating_add(DISTANCE)).contains(&address)
    }
}

/// What the exception handler noted.
pub(crate) static NOTES: Notes = Notes::new();

/// Calls `place` for each place where accesses had no answer, in the order in which they were met; gives the number
/// of accesses that went to other places.
pub fn read(mut place: impl FnMut(Place)) -> u32 {
    NOTES.read(&mut place)
}

/// Whether [`LIMIT`] accesses had no answer.
#[must_use]
pub fn is_exhausted() -> bool {
    NOTES.total.load(Ordering::Relaxed) >= LIMIT
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use addr::{PhysAddr, Range};

    use super::{LIMIT, Notes, PLACES, Place};

    fn places(notes: &Notes) -> (Vec<Place>, u32) {
        let mut all = Vec::new();
        let elsewhere = notes.read(&mut |place| all.push(place));
        (all, elsewhere)
    }

    #[test]
    fn a_scan_of_silent_buses_is_one_place() {
        let notes = Notes::new();
        for bus in (0..8_u64).rev() {
            for device in 0..32 {
                assert!(notes.add(0x40_1ff8_0000 + (bus << 20) + (device << 15), false));
            }
        }
        notes.add(0x40_1ff8_0004, true);
        let range = Range::new(PhysAddr(0x40_1ff8_0000), PhysAddr(0x40_1ff8_0000 + (7 << 20) + (31 << 15)));
        assert_eq!(places(&notes), (vec![Place { range: range.unwrap(), reads: 256, writes: 1 }], 0));
    }

    #[test]
    fn places_are_told_apart_up_to_a_bound() {
        let notes = Notes::new();
        for number in 0..PLACES as u64 + 3 {
            assert!(notes.add(number << 32, false));
        }
        let (all, elsewhere) = places(&notes);
        assert_eq!((all.len(), elsewhere), (PLACES, 3));
        assert_eq!(all[1].range.start(), PhysAddr(1 << 32));
    }

    #[test]
    fn the_ends_of_the_address_space_are_places_too() {
        let notes = Notes::new();
        assert!(notes.add(0, false) && notes.add(u64::MAX, false));
        assert_eq!(places(&notes).0.len(), 2);
    }

    #[test]
    fn there_is_an_end_to_what_is_let_pass() {
        let notes = Notes::new();
        assert!((0..LIMIT).all(|_| notes.add(0x1000, false)));
        assert!(!notes.add(0x1000, false));
        assert!(!notes.add(0x1000, false));
        assert_eq!(places(&notes).0[0].reads, LIMIT);
    }
}
