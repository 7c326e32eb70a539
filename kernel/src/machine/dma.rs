//! Memory that is shared with a device, for devices whose DMA is not translated.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// DMA by physical addresses: CPU and device use the same addresses.
///
/// It suits the IOMMU itself, which never translates its own requests, and every device that is not
/// behind an IOMMU. QEMU's devices are coherent with the CPU's caches, so sharing needs no
/// maintenance.
pub struct IdentityHal;

// SAFETY: Memory comes zeroed and page-aligned from the heap, is used for nothing else until it is given
// back, and all of the heap is mapped to itself. Addresses are the CPU's own.
unsafe impl Hal for IdentityHal {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // In this interface, physical address 0 means that there is no memory.
        let none = (0, NonNull::dangling());
        let Some(layout) = layout(pages) else { return none };
        // SAFETY: `layout` is not empty.
        let memory = unsafe { alloc_zeroed(layout) };
        NonNull::new(memory).map_or(none, |memory| (memory.addr().get() as PhysAddr, memory))
    }

    unsafe fn dma_dealloc(_paddr: PhysAddr, vaddr: NonNull<u8>, pages: usize) -> i32 {
        let Some(layout) = layout(pages) else { return -1 };
        // SAFETY: The caller gives back what `dma_alloc` gave for the same number of pages.
        unsafe { dealloc(vaddr.as_ptr(), layout) };
        0
    }

    unsafe fn mmio_phys_to_virt(paddr: PhysAddr, _size: usize) -> NonNull<u8> {
        // Only the crate's own PCI transport calls this, which is not used (`VirtioPci` is); address 0 is
        // never mapped, so an access there is caught.
        NonNull::new(paddr as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().addr().get() as PhysAddr
    }

    unsafe fn unshare(_paddr: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

/// Whole pages, at least one.
fn layout(pages: usize) -> Option<Layout> {
    let size = pages.checked_mul(PAGE_SIZE).filter(|size| *size > 0)?;
    Layout::from_size_align(size, PAGE_SIZE).ok()
}
