//! What one device can reach: buffers that are shared with it, through its group's domain or directly.

use alloc::rc::Rc;
use core::cell::RefCell;

use addr::{Iova, PhysAddr, Range};
use dma::{AddressSpace, Direction, DmaMapping, DmaMask, MapError, UnmapError};
use kernel::machine::clock::micros;
use kernel::machine::dma_pages::DmaPages;

use super::domain::Domain;

/// The address space of a group, which the group's devices share.
pub(crate) type Space = Rc<RefCell<AddressSpace<Domain>>>;

/// How a device's addresses lead to memory.
#[derive(Clone)]
pub(crate) enum Route {
    /// Through the domain of its group.
    Translated(Space),
    /// They are physical addresses.
    Direct,
}

/// The memory that one device can be given.
#[derive(Clone)]
pub(crate) struct DeviceMemory {
    pub(crate) route: Route,
    pub(crate) mask: DmaMask,
}

/// Memory that a device can access until it is taken back.
///
/// Dropping it leaks the memory, as the device keeps its access.
#[must_use = "the device keeps its access until the buffer is taken back"]
pub(crate) struct Buffer {
    pages: core::mem::ManuallyDrop<DmaPages>,
    bytes: usize,
    address: Iova,
    mapping: Option<DmaMapping>,
}

/// Why a buffer cannot be shared with a device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShareError {
    /// There is no memory.
    #[error("no memory for {0:#x} bytes")]
    OutOfMemory(usize),
    /// It cannot be mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// Nothing translates the device, and its addresses are too short.
    #[error("RAM at {phys} is out of reach of a device with {bits} address bits that nothing translates")]
    OutOfReach {
        /// The memory.
        phys: PhysAddr,
        /// The length of the device's addresses.
        bits: u32,
    },
}

/// The CPU's smallest unit of sharing.
const PAGE: u64 = dma::ALLOCATION_UNIT;

impl DeviceMemory {
    /// Shares at least `bytes` bytes, zeroed, in units of their own: nothing else is in a unit that the device reaches.
    ///
    /// # Errors
    ///
    /// See [`ShareError`].
    pub(crate) fn share(&self, bytes: usize, direction: Direction) -> Result<Buffer, ShareError> {
        let pages = DmaPages::new(bytes, self.unit()).ok_or(ShareError::OutOfMemory(bytes))?;
        let phys = pages.phys();
        self.share_pages(pages, phys, bytes, direction)
    }

    /// Shares `bytes` bytes, which are whole units, at the beginning of memory that is one unit longer.
    ///
    /// # Errors
    ///
    /// See [`ShareError`].
    pub(crate) fn share_beginning(&self, bytes: usize, direction: Direction) -> Result<Buffer, ShareError> {
        let more = bytes.saturating_add(self.unit() as usize);
        let pages = DmaPages::new(more, self.unit()).ok_or(ShareError::OutOfMemory(more))?;
        let phys = Range::from_size(pages.phys().start(), bytes as u64).unwrap_or(pages.phys());
        self.share_pages(pages, phys, bytes, direction)
    }

    /// Shares the part `phys` of memory.
    fn share_pages(
        &self,
        pages: DmaPages,
        phys: Range<PhysAddr>,
        bytes: usize,
        direction: Direction,
    ) -> Result<Buffer, ShareError> {
        let mapping = match &self.route {
            Route::Translated(space) => Some(space.borrow_mut().map(phys, direction, self.mask)?),
            Route::Direct if phys.end().0 > self.mask.last_address() => {
                return Err(ShareError::OutOfReach { phys: phys.start(), bits: self.mask.bits() });
            }
            Route::Direct => None,
        };
        let address = mapping.as_ref().map_or(Iova(phys.start().0), |mapping| mapping.iova().start());
        Ok(Buffer { pages: core::mem::ManuallyDrop::new(pages), bytes, address, mapping })
    }

    /// Takes a buffer back and frees it. In a domain of type DMA-FQ the device may reach the memory for a while.
    ///
    /// # Errors
    ///
    /// The device keeps its access; the memory is leaked.
    pub(crate) fn take_back(&self, buffer: Buffer) -> Result<(), UnmapError> {
        self.unmap(buffer).map(drop)
    }

    /// Takes a buffer back and keeps its memory, to see whether it changes.
    ///
    /// # Errors
    ///
    /// As [`take_back`](Self::take_back).
    pub(crate) fn unmap(&self, buffer: Buffer) -> Result<DmaPages, UnmapError> {
        let Buffer { pages, mapping, .. } = buffer;
        if let (Route::Translated(space), Some(mapping)) = (&self.route, mapping) {
            space.borrow_mut().unmap(mapping, micros())?;
        }
        Ok(core::mem::ManuallyDrop::into_inner(pages))
    }

    /// Removes everything from the IOMMU that waits for it.
    ///
    /// # Errors
    ///
    /// The IOMMU does not remove something.
    pub(crate) fn flush(&self) -> Result<(), UnmapError> {
        match &self.route {
            Route::Translated(space) => space.borrow_mut().flush(),
            Route::Direct => Ok(()),
        }
    }

    /// The size of which buffers are multiples, in bytes.
    pub(crate) fn unit(&self) -> u64 {
        match &self.route {
            Route::Translated(space) => space.borrow().unit(),
            Route::Direct => PAGE,
        }
    }
}

impl Buffer {
    /// The address for the device.
    pub(crate) fn address(&self) -> Iova {
        self.address
    }

    /// The memory.
    pub(crate) fn phys(&self) -> Range<PhysAddr> {
        self.pages.phys()
    }

    /// The number of bytes that were asked for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The memory as the CPU sees it.
    pub(crate) fn pages(&self) -> &DmaPages {
        &self.pages
    }
}
