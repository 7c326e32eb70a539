//! The memory that driver and device share. It catches what real hardware forgives.
//!
//! These fail the test:
//! - the device accesses memory that the driver has not shared, or has freed;
//! - the driver frees memory to which a queue of the device still leads;
//! - the driver shares a buffer again that the device has not returned, or takes one back.

use core::cell::RefCell;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::thread_local;
use std::vec;
use std::vec::Vec;

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Offset of a physical address from the pointer, so that confusing the two is noticed.
const PHYS_OFFSET: u64 = 0x0040_0000_0000_0000;

/// All memory of one thread.
struct Memory {
    allocations: Vec<Allocation>,
    /// Buffers that the driver has put into a queue and not taken back, by address; none overlaps another.
    shared: Vec<Shared>,
    /// The parts of the queues that devices use.
    rings: Vec<RingPart>,
    fails: bool,
    /// Whether a device has announced buffers that it may not even have: see [`forge`].
    forged: bool,
}

#[derive(Clone, Copy)]
struct Allocation {
    paddr: u64,
    pages: usize,
}

struct Shared {
    paddr: u64,
    len: usize,
    returned: bool,
}

/// Memory of a queue: its address, and whether it is the table of this many descriptors.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RingPart {
    paddr: u64,
    descriptors: u16,
}

impl Shared {
    fn end(&self) -> u64 {
        self.paddr + self.len as u64
    }
}

impl Allocation {
    fn end(&self) -> u64 {
        self.paddr + (self.pages * PAGE_SIZE) as u64
    }

    fn contains(&self, paddr: u64) -> bool {
        (self.paddr..self.end()).contains(&paddr)
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = const {
        RefCell::new(Memory {
            allocations: Vec::new(),
            shared: Vec::new(),
            rings: Vec::new(),
            fails: false,
            forged: false,
        })
    };
}

/// The number of pages that the driver has not freed.
pub fn live_pages() -> usize {
    MEMORY.with_borrow(|memory| memory.allocations.iter().map(|allocation| allocation.pages).sum())
}

/// Lets allocations fail.
pub fn fail_allocations(fail: bool) {
    MEMORY.with_borrow_mut(|memory| memory.fails = fail);
}

/// Frees pages that were leaked on purpose, whether or not a device still has them; returns their
/// number.
pub fn reclaim() -> usize {
    let allocations = MEMORY.with_borrow_mut(|memory| {
        memory.shared.clear();
        memory.rings.clear();
        memory.forged = false;
        core::mem::take(&mut memory.allocations)
    });
    for Allocation { paddr, pages } in &allocations {
        // SAFETY: The pages are live, and by the test's duty no longer in use.
        unsafe { dealloc(pointer(*paddr), layout(*pages)) };
    }
    allocations.iter().map(|allocation| allocation.pages).sum()
}

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).unwrap()
}

fn pointer(paddr: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((paddr - PHYS_OFFSET) as usize)
}

/// Whether all of `len` bytes at `paddr` lie in one live allocation.
pub(crate) fn is_accessible(paddr: u64, len: usize) -> bool {
    MEMORY.with_borrow(|memory| {
        let room = |allocation: &Allocation| (allocation.end() - paddr) as usize;
        memory.allocations.iter().any(|allocation| allocation.contains(paddr) && len <= room(allocation))
    })
}

/// The pointer to `len` bytes at `paddr`, all inside one live allocation.
fn checked(paddr: u64, len: usize) -> *mut u8 {
    assert!(
        is_accessible(paddr, len),
        "the device was made to access {len} bytes at {paddr:#x}, which is not its memory"
    );
    pointer(paddr)
}

/// The device reads memory.
///
/// # Panics
///
/// If the driver did not share it, or has freed it.
pub fn read(paddr: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    read_to(paddr, &mut bytes);
    bytes
}

/// The device reads an array of bytes; panics as [`read`].
pub(crate) fn read_array<const N: usize>(paddr: u64) -> [u8; N] {
    let mut bytes = [0; N];
    read_to(paddr, &mut bytes);
    bytes
}

fn read_to(paddr: u64, bytes: &mut [u8]) {
    let start = checked(paddr, bytes.len());
    // SAFETY: All bytes are inside a live allocation, which is not `bytes`.
    unsafe { start.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
}

/// The device writes memory.
///
/// # Panics
///
/// If the driver did not share it, or has freed it.
pub fn write(paddr: u64, bytes: &[u8]) {
    let start = checked(paddr, bytes.len());
    // SAFETY: All bytes are inside a live allocation, which is not `bytes`.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// A device has begun to use a queue with these parts.
pub(super) fn use_ring(descriptors: u64, size: u16, areas: [u64; 2]) {
    let table = RingPart { paddr: descriptors, descriptors: size };
    let [driver, device] = areas.map(|paddr| RingPart { paddr, descriptors: 0 });
    MEMORY.with_borrow_mut(|memory| memory.rings.extend([table, driver, device]));
}

/// A device no longer uses the queue with this table, because it was reset.
pub(super) fn leave_ring(descriptors: u64) {
    MEMORY.with_borrow_mut(|memory| {
        if let Some(at) = memory.rings.iter().position(|part| part.paddr == descriptors) {
            memory.rings.drain(at..at + 3);
        }
        if memory.rings.is_empty() {
            memory.forged = false;
        }
    });
}

/// A device has returned the buffer at `paddr`.
pub(super) fn give_back(paddr: u64) {
    MEMORY.with_borrow_mut(|memory| {
        if let Ok(at) = memory.shared_at(paddr) {
            memory.shared[at].returned = true;
        }
    });
}

/// A device has overwritten a queue. What the driver reads there is anything from now on, so a buffer
/// that was not returned may look as if it was.
pub(super) fn forge() {
    MEMORY.with_borrow_mut(|memory| memory.forged = true);
}

/// The buffers that the driver has put into a queue and not taken back: address, length, and whether
/// the device has returned it.
pub(crate) fn shared() -> Vec<(u64, usize, bool)> {
    MEMORY.with_borrow(|memory| {
        memory.shared.iter().map(|buffer| (buffer.paddr, buffer.len, buffer.returned)).collect()
    })
}

impl Memory {
    /// The index of a shared buffer, or the one at which to insert it.
    fn shared_at(&self, paddr: u64) -> Result<usize, usize> {
        // Mostly, buffers are shared in the order of their addresses.
        match self.shared.last() {
            Some(last) if last.paddr < paddr => Err(self.shared.len()),
            _ => self.shared.binary_search_by_key(&paddr, |buffer| buffer.paddr),
        }
    }

    /// What a device that was not reset can still reach in `freed`.
    fn reachable(&self, freed: Allocation) -> Option<&'static str> {
        if self.rings.iter().any(|part| freed.contains(part.paddr)) {
            return Some("a queue");
        }
        // A driver sets the address to 0 when it takes a buffer back.
        let leads_there = |part: &RingPart| {
            (0..u64::from(part.descriptors)).any(|index| {
                let place = pointer(part.paddr + 16 * index);
                // SAFETY: The table is live: no part of a ring can be freed, as just checked.
                let address = u64::from_le_bytes(unsafe { place.cast::<[u8; 8]>().read() });
                freed.contains(address)
            })
        };
        (!self.forged && self.rings.iter().any(leads_there)).then_some("a buffer in a queue")
    }
}

/// The memory that driver and device share, one pool for each thread.
pub struct FakeHal;

// SAFETY: Memory comes from the allocator, zeroed and page aligned, and each piece is given out once.
unsafe impl Hal for FakeHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        if MEMORY.with_borrow(|memory| memory.fails) {
            return (0, NonNull::dangling());
        }
        // SAFETY: The layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout(pages)) }).unwrap();
        let paddr = start.as_ptr().expose_provenance() as u64 + PHYS_OFFSET;
        MEMORY.with_borrow_mut(|memory| memory.allocations.push(Allocation { paddr, pages }));
        (paddr, start)
    }

    unsafe fn dma_dealloc(paddr: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        MEMORY.with_borrow_mut(|memory| {
            let at = memory.allocations.iter().position(|known| (known.paddr, known.pages) == (paddr, pages));
            let freed = memory.allocations.swap_remove(at.expect("freed as it was allocated, once"));
            let reachable = memory.reachable(freed);
            assert_eq!(reachable, None, "memory is freed that a device can still write to");
            memory.shared.retain(|buffer| !freed.contains(buffer.paddr));
        });
        // SAFETY: It was allocated with this layout and is freed once, as just checked.
        unsafe { dealloc(start.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("the driver maps no registers")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        let paddr = buffer.cast::<u8>().as_ptr().expose_provenance() as u64 + PHYS_OFFSET;
        checked(paddr, buffer.len());
        MEMORY.with_borrow_mut(|memory| {
            let at = memory.shared_at(paddr).unwrap_or_else(|at| at);
            let after = memory.shared.get(at).map_or(u64::MAX, |next| next.paddr);
            let before = at.checked_sub(1).map_or(0, |at| memory.shared[at].end());
            let is_free = before <= paddr && paddr + buffer.len() as u64 <= after;
            assert!(is_free, "a buffer is used again that the device has");
            memory.shared.insert(at, Shared { paddr, len: buffer.len(), returned: false });
        });
        paddr
    }

    unsafe fn unshare(paddr: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {
        MEMORY.with_borrow_mut(|memory| {
            let at = memory.shared_at(paddr).expect("a buffer is taken back once");
            let taken = memory.shared.remove(at);
            assert!(taken.returned || memory.forged, "a buffer is taken back that the device has");
        });
    }
}
