//! Accesses to device registers that no device answered: their addresses and their number.
//!
//! Firmware decides where the kernel looks for registers, and may be wrong. On a PCI bus, such a
//! read returns all ones and such a write is dropped; on the CPU, either is a synchronous external
//! abort. The exception handler gives the access its result on the bus, records the address here,
//! and the run continues. The report lists the recorded accesses.
//!
//! This module uses neither the heap nor a lock that the interrupted code could hold.

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use addr::{PhysAddr, Range};
use sync::TicketLock;

/// Maximum number of such accesses. One more ends the run: code that continues for that long
/// ignores what it reads. Each scan of 256 buses makes 8,192 accesses.
pub const LIMIT: u32 = 1 << 20;

/// Maximum number of address ranges that are recorded; accesses elsewhere are only counted.
const MAX_RANGES: usize = 16;

/// Addresses at most this far apart belong to one range: a scan of configuration space advances by
/// at most one bus per access.
const DISTANCE: u64 = 1 << 20;

/// A range of addresses at which no device answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnansweredRange {
    /// From the lowest accessed address to the highest.
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

/// All recorded accesses.
pub(crate) struct AccessRecord {
    /// Held while the record is changed or read.
    turns: TicketLock,
    ranges: [Entry; MAX_RANGES],
    used: AtomicUsize,
    total: AtomicU32,
    elsewhere: AtomicU32,
}

impl AccessRecord {
    pub(crate) const fn new() -> Self {
        Self {
            turns: TicketLock::new(),
            ranges: [const { Entry::new() }; MAX_RANGES],
            used: AtomicUsize::new(0),
            total: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
        }
    }

    /// Records an access to `address`; false if there were more than [`LIMIT`].
    pub(crate) fn add(&self, address: u64, is_write: bool) -> bool {
        let _turn = self.turns.acquire(core::hint::spin_loop);
        if self.total.fetch_add(1, Ordering::Relaxed) >= LIMIT {
            self.total.store(LIMIT, Ordering::Relaxed);
            return false;
        }
        let used = self.used.load(Ordering::Relaxed);
        let known = self.ranges[..used].iter().find(|entry| entry.is_near(address));
        let entry = known.or_else(|| {
            let new = self.ranges.get(used)?;
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

    /// The ranges in the order of their first access, and the number of accesses elsewhere.
    fn read(&self, visit: &mut dyn FnMut(UnansweredRange)) -> u32 {
        let _turn = self.turns.acquire(core::hint::spin_loop);
        for entry in &self.ranges[..self.used.load(Ordering::Relaxed)] {
            let [first, last] = [&entry.first, &entry.last].map(|at| PhysAddr(at.load(Ordering::Relaxed)));
            let [reads, writes] = [&entry.reads, &entry.writes].map(|count| count.load(Ordering::Relaxed));
            if let Some(range) = Range::new(first, last) {
                visit(UnansweredRange { range, reads, writes });
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

/// The accesses that the exception handler recorded.
pub(crate) static RECORD: AccessRecord = AccessRecord::new();

/// Calls `visit` for each range in which no device answered, in the order of their first access;
/// returns the number of accesses outside of these ranges.
pub fn read(mut visit: impl FnMut(UnansweredRange)) -> u32 {
    RECORD.read(&mut visit)
}

/// Whether the number of such accesses has reached [`LIMIT`].
#[must_use]
pub fn is_exhausted() -> bool {
    RECORD.total.load(Ordering::Relaxed) >= LIMIT
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use addr::{PhysAddr, Range};

    use super::{AccessRecord, LIMIT, MAX_RANGES, UnansweredRange};

    fn ranges(record: &AccessRecord) -> (Vec<UnansweredRange>, u32) {
        let mut all = Vec::new();
        let elsewhere = record.read(&mut |range| all.push(range));
        (all, elsewhere)
    }

    #[test]
    fn a_scan_of_buses_without_devices_is_one_range() {
        let record = AccessRecord::new();
        for bus in (0..8_u64).rev() {
            for device in 0..32 {
                assert!(record.add(0x40_1ff8_0000 + (bus << 20) + (device << 15), false));
            }
        }
        record.add(0x40_1ff8_0004, true);
        let range = Range::new(PhysAddr(0x40_1ff8_0000), PhysAddr(0x40_1ff8_0000 + (7 << 20) + (31 << 15)));
        assert_eq!(
            ranges(&record),
            (vec![UnansweredRange { range: range.unwrap(), reads: 256, writes: 1 }], 0)
        );
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let record = AccessRecord::new();
        for number in 0..MAX_RANGES as u64 + 3 {
            assert!(record.add(number << 32, false));
        }
        let (all, elsewhere) = ranges(&record);
        assert_eq!((all.len(), elsewhere), (MAX_RANGES, 3));
        assert_eq!(all[1].range.start(), PhysAddr(1 << 32));
    }

    #[test]
    fn the_ends_of_the_address_space_are_recorded() {
        let record = AccessRecord::new();
        assert!(record.add(0, false) && record.add(u64::MAX, false));
        assert_eq!(ranges(&record).0.len(), 2);
    }

    #[test]
    fn the_number_of_accesses_is_bounded() {
        let record = AccessRecord::new();
        assert!((0..LIMIT).all(|_| record.add(0x1000, false)));
        assert!(!record.add(0x1000, false));
        assert!(!record.add(0x1000, false));
        assert_eq!(ranges(&record).0[0].reads, LIMIT);
    }
}
