//! The I/O virtual address space of a group.

use alloc::collections::BTreeMap;

use addr::{Iova, PhysAddr, Range};
use probe::{Mapping, Refusal, RefusalCause};

use crate::allocator::{IovaAllocator, IovaError};
use crate::flush_queue::{FlushQueue, Invalidation};
use crate::limits::{IovaLimits, LimitsError};
use crate::mapping::{Direction, DmaMapping};
use crate::mask::DmaMask;
use crate::translate::Translate;

/// Why a domain cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// An IOMMU is gone, or its IOMMUs have no address in common.
    #[error("the domain has no addresses to map")]
    NoAddresses,
    /// Its addresses cannot be divided.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

/// Why a buffer cannot be mapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The buffer does not consist of whole units. A mapping would give the device more than the buffer.
    #[error("{phys} does not begin and end at multiples of {unit:#x}")]
    Misaligned {
        /// The buffer.
        phys: Range<PhysAddr>,
        /// The smallest mapping in bytes.
        unit: u64,
    },
    /// No address is free.
    #[error(transparent)]
    Iova(#[from] IovaError),
    /// The IOMMU refuses.
    #[error("{0}")]
    Refused(Refusal),
}

/// A buffer was not unmapped: the device may still access it, so the memory must not be used for anything else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnmapError {
    /// This address space did not make the mapping.
    #[error("{0} is not mapped here")]
    NotMapped(Range<Iova>),
    /// The IOMMU refuses to remove it. Its addresses are never used again.
    #[error("{iova} stays mapped: {refusal}")]
    Refused {
        /// The addresses.
        iova: Range<Iova>,
        /// Why.
        refusal: Refusal,
    },
}

/// What happened in an address space, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceCounters {
    /// Buffers mapped.
    pub mapped: u64,
    /// Buffers unmapped, and removed from the IOMMU.
    pub unmapped: u64,
    /// Requests to map that failed.
    pub refused: u64,
    /// Times that the flush queue was flushed.
    pub flushes: u64,
    /// Ranges that the IOMMU did not remove.
    pub stuck: u64,
}

/// The I/O virtual addresses of a group, and the domain that translates them.
pub struct AddressSpace<T> {
    domain: T,
    allocator: IovaAllocator,
    invalidation: Invalidation,
    queue: FlushQueue,
    /// What is mapped, and not in the queue.
    live: BTreeMap<Iova, Range<PhysAddr>>,
    counters: SpaceCounters,
}

impl<T: Translate> AddressSpace<T> {
    /// The addresses that `domain` can translate and that are not in `reserved`.
    ///
    /// # Errors
    ///
    /// The domain has no addresses, or its granule is not a power of two.
    pub fn new(
        domain: T,
        reserved: impl IntoIterator<Item = Range<Iova>>,
        invalidation: Invalidation,
    ) -> Result<Self, SpaceError> {
        let (Some(aperture), Some(granule)) = (domain.aperture(), domain.granule()) else {
            return Err(SpaceError::NoAddresses);
        };
        let limits = IovaLimits::new(aperture, granule, reserved)?;
        Ok(Self {
            domain,
            allocator: IovaAllocator::new(limits),
            invalidation,
            queue: FlushQueue::default(),
            live: BTreeMap::new(),
            counters: SpaceCounters::default(),
        })
    }

    /// The size in bytes of which every mapping is a multiple, a power of two.
    pub fn unit(&self) -> u64 {
        self.allocator.unit()
    }

    /// When an unmapped address becomes unreachable.
    pub fn invalidation(&self) -> Invalidation {
        self.invalidation
    }

    /// What happened so far.
    pub fn counters(&self) -> SpaceCounters {
        self.counters
    }

    /// Number of mappings that were not unmapped.
    #[cfg(test)]
    pub(crate) fn live(&self) -> usize {
        self.live.len()
    }

    /// Number of unmapped ranges that the IOMMU has not removed yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Gives a device with `mask` access to a buffer of whole units.
    ///
    /// # Errors
    ///
    /// See [`MapError`]; the device has no access.
    pub fn map(
        &mut self,
        phys: Range<PhysAddr>,
        direction: Direction,
        mask: DmaMask,
    ) -> Result<DmaMapping, MapError> {
        let mapped = self.try_map(phys, direction, mask);
        match &mapped {
            Ok(_) => self.counters.mapped += 1,
            Err(_) => self.counters.refused += 1,
        }
        mapped
    }

    fn try_map(
        &mut self,
        phys: Range<PhysAddr>,
        direction: Direction,
        mask: DmaMask,
    ) -> Result<DmaMapping, MapError> {
        let unit = self.unit();
        let is_whole = phys.start().0.is_multiple_of(unit) && phys.size().is_multiple_of(unit);
        if !is_whole {
            return Err(MapError::Misaligned { phys, unit });
        }
        let iova = self.allocator.alloc(phys.size(), mask)?;
        let request = Mapping { iova, phys: phys.start(), prot: direction.prot() };
        let answer = self.domain.map_all(&[request]).into_iter().next().unwrap_or(Ok(()));
        if let Err(refusal) = answer {
            // A device that does not answer may have executed the request, so the address stays taken.
            if refusal.cause != RefusalCause::Dead {
                self.allocator.free(iova)?;
            }
            return Err(MapError::Refused(refusal));
        }
        self.live.insert(iova.start(), phys);
        Ok(DmaMapping { iova, phys })
    }

    /// Ends a device's access at a time in microseconds: at once, or with the next flush.
    ///
    /// # Errors
    ///
    /// See [`UnmapError`]. If the queue was flushed, the error may be that of another range.
    pub fn unmap(&mut self, mapping: DmaMapping, now_us: u64) -> Result<(), UnmapError> {
        let DmaMapping { iova, phys } = mapping;
        if self.live.get(&iova.start()) != Some(&phys) {
            return Err(UnmapError::NotMapped(iova));
        }
        self.live.remove(&iova.start());
        match self.invalidation {
            Invalidation::Strict => self.remove(&[iova]),
            Invalidation::Batched => {
                self.queue.push(iova, now_us);
                self.poll(now_us)
            }
        }
    }

    /// Flushes the queue if it is full, or if a range in it has waited for [`FLUSH_AFTER_US`](crate::FLUSH_AFTER_US).
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn poll(&mut self, now_us: u64) -> Result<(), UnmapError> {
        if self.queue.is_due(now_us) { self.flush() } else { Ok(()) }
    }

    /// Removes everything that waits from the IOMMU; only then can its addresses be used again.
    ///
    /// # Errors
    ///
    /// The first refusal; the other ranges are removed.
    pub fn flush(&mut self) -> Result<(), UnmapError> {
        let waiting = self.queue.take();
        if waiting.is_empty() {
            return Ok(());
        }
        self.counters.flushes += 1;
        self.remove(&waiting)
    }

    /// An allocator of the same addresses, of which none is allocated, for a caller that examines what is handed out.
    pub fn unused_addresses(&self) -> IovaAllocator {
        self.allocator.unused()
    }

    fn remove(&mut self, ranges: &[Range<Iova>]) -> Result<(), UnmapError> {
        let mut outcome = Ok(());
        for (iova, answer) in ranges.iter().zip(self.domain.unmap_all(ranges)) {
            match answer {
                Ok(()) => {
                    self.counters.unmapped += 1;
                    self.allocator.free(*iova).expect("a mapping has an allocation");
                }
                Err(refusal) => {
                    self.counters.stuck += 1;
                    outcome = outcome.and(Err(UnmapError::Refused { iova: *iova, refusal }));
                }
            }
        }
        outcome
    }
}
