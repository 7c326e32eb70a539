//! Unmapped addresses that the IOMMU has not forgotten yet (Linux: `struct iova_fq`).

use alloc::vec::Vec;
use core::mem;

use addr::{Iova, Range};

/// The number of ranges that wait at most (Linux: `IOVA_DEFAULT_FQ_SIZE`).
pub const FLUSH_QUEUE_SIZE: usize = 256;

/// The time that a range waits at most, in microseconds, if the queue is polled (Linux: `IOVA_DEFAULT_FQ_TIMEOUT`, 10 ms).
pub const FLUSH_AFTER_US: u64 = 10_000;

/// When an unmapped address becomes unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// At once: before `unmap` returns (domain type DMA).
    Strict,
    /// With others: the device may reach the buffer until the queue is flushed (domain type DMA-FQ).
    Batched,
}

/// Ranges that wait for their removal from the IOMMU; none of them is free.
#[derive(Debug, Default)]
pub(crate) struct FlushQueue {
    waiting: Vec<Range<Iova>>,
    /// When the first of them was added.
    since_us: u64,
}

impl FlushQueue {
    /// Adds a range at a time in microseconds.
    pub(crate) fn push(&mut self, range: Range<Iova>, now_us: u64) {
        if self.waiting.is_empty() {
            self.since_us = now_us;
        }
        self.waiting.push(range);
    }

    /// Whether it has to be flushed now.
    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        let overdue = now_us.saturating_sub(self.since_us) >= FLUSH_AFTER_US;
        self.waiting.len() >= FLUSH_QUEUE_SIZE || !self.waiting.is_empty() && overdue
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes everything that waits.
    pub(crate) fn take(&mut self) -> Vec<Range<Iova>> {
        mem::take(&mut self.waiting)
    }
}
