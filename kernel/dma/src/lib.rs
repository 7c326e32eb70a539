//! I/O virtual addresses for drivers: which addresses a device may be given, and what they lead to.
//!
//! An [`AddressSpace`] is the DMA side of one group. Mapping a buffer takes an address from the
//! [`IovaAllocator`] and a translation from the IOMMU; unmapping gives both back, at once or, in a
//! domain of type DMA-FQ, in batches. A [`DmaMapping`] is the only thing that can be unmapped, so a
//! driver cannot unmap what it does not own.
//!
//! The crate knows IOMMUs only as [`Translate`], and does not access hardware.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod allocator;
mod flush_queue;
mod limits;
mod mapping;
mod mask;
mod space;
pub mod test_disk;
mod translate;
mod zone;

pub use allocator::{IovaAllocator, IovaError, MAX_ALLOCATIONS};
pub use flush_queue::{FLUSH_AFTER_US, FLUSH_QUEUE_SIZE, Invalidation};
pub use limits::{ALLOCATION_UNIT, IovaLimits, LimitsError};
pub use mapping::{Direction, DmaMapping};
pub use mask::DmaMask;
pub use space::{AddressSpace, MapError, SpaceCounters, SpaceError, UnmapError};
pub use translate::Translate;

#[cfg(test)]
mod tests;
