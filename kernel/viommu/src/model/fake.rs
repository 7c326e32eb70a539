//! Fake memory, transport and clock. They catch what real hardware forgives: an access by the
//! device to memory that the driver has freed or never shared fails the test.

use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::thread_local;
use std::vec;
use std::vec::Vec;

use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PAGE_SIZE, PhysAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::device::{Device, Queue};
use crate::clock::Clock;
use crate::{RawDevice, Viommu};

/// Offset of a physical address from the pointer, so that confusing the two is noticed.
const PHYS_OFFSET: u64 = 0x0040_0000_0000_0000;

/// Step of the clock when the driver waits.
const STEP_US: u64 = 10_000;

thread_local! {
    static LIVE: RefCell<BTreeMap<u64, usize>> = const { RefCell::new(BTreeMap::new()) };
    static FAIL_ALLOC: Cell<bool> = const { Cell::new(false) };
}

/// The driver on a model device.
pub type TestViommu<'a> = Viommu<FakeHal, FakeTransport<'a>, FakeClock<'a>>;

/// A raw device on a model device.
pub type TestRaw<'a> = RawDevice<FakeHal, FakeTransport<'a>, FakeClock<'a>>;

/// Starts the driver on `device`.
///
/// # Errors
///
/// See [`StartError`](crate::StartError).
pub fn start(device: &RefCell<Device>) -> Result<TestViommu<'_>, crate::StartError> {
    Viommu::start(FakeTransport::new(device), FakeClock::new(device))
}

/// The number of pages that the driver has not freed.
pub fn live_pages() -> usize {
    LIVE.with_borrow(|live| live.values().sum())
}

/// Lets allocations fail.
pub fn fail_allocations(fail: bool) {
    FAIL_ALLOC.set(fail);
}

/// Frees pages that were leaked on purpose; returns their number.
pub fn reclaim() -> usize {
    let live = LIVE.take();
    for (paddr, pages) in &live {
        // SAFETY: The pages are live, and by the test's duty no longer in use.
        unsafe { dealloc(pointer(*paddr), layout(*pages)) };
    }
    live.values().sum()
}

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).unwrap()
}

fn pointer(paddr: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((paddr - PHYS_OFFSET) as usize)
}

/// The pointer to `len` bytes at `paddr`, all inside one live allocation.
fn checked(paddr: u64, len: usize) -> *mut u8 {
    let inside = LIVE.with_borrow(|live| {
        live.range(..=paddr)
            .next_back()
            .is_some_and(|(start, pages)| paddr + len as u64 <= start + (pages * PAGE_SIZE) as u64)
    });
    assert!(inside, "the device was made to access {len} bytes at {paddr:#x}, which is not its memory");
    pointer(paddr)
}

/// The device reads memory.
///
/// # Panics
///
/// If the driver did not share it, or has freed it.
pub fn read(paddr: u64, len: usize) -> Vec<u8> {
    let start = checked(paddr, len);
    // SAFETY: All bytes are inside a live allocation.
    (0..len).map(|index| unsafe { start.wrapping_add(index).read_volatile() }).collect()
}

/// The device writes memory.
///
/// # Panics
///
/// If the driver did not share it, or has freed it.
pub fn write(paddr: u64, bytes: &[u8]) {
    let start = checked(paddr, bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        // SAFETY: All bytes are inside a live allocation.
        unsafe { start.wrapping_add(index).write_volatile(*byte) };
    }
}

/// The memory that driver and device share, one pool for each thread.
pub struct FakeHal;

// SAFETY: Memory comes from the allocator, zeroed and page aligned, and each piece is given out once.
unsafe impl Hal for FakeHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        if FAIL_ALLOC.get() {
            return (0, NonNull::dangling());
        }
        // SAFETY: The layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout(pages)) }).unwrap();
        let paddr = start.as_ptr().expose_provenance() as u64 + PHYS_OFFSET;
        LIVE.with_borrow_mut(|live| live.insert(paddr, pages));
        (paddr, start)
    }

    unsafe fn dma_dealloc(paddr: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        let known = LIVE.with_borrow_mut(|live| live.remove(&paddr));
        assert_eq!(known, Some(pages), "freed as it was allocated, once");
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
        paddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// A clock that stands still except while the driver waits; then the device's time passes too.
pub struct FakeClock<'a> {
    device: &'a RefCell<Device>,
    now: Cell<u64>,
}

impl<'a> FakeClock<'a> {
    /// A clock that starts at 0.
    pub fn new(device: &'a RefCell<Device>) -> Self {
        Self { device, now: Cell::new(0) }
    }
}

impl Clock for FakeClock<'_> {
    fn now_us(&self) -> u64 {
        self.now.get()
    }

    fn relax(&self) {
        self.now.set(self.now.get() + STEP_US);
        self.device.borrow_mut().tick();
    }
}

/// The registers of a model device.
pub struct FakeTransport<'a> {
    device: &'a RefCell<Device>,
}

impl Drop for FakeTransport<'_> {
    fn drop(&mut self) {
        panic!("the transport's destructor may wait for ever and must not run");
    }
}

impl<'a> FakeTransport<'a> {
    /// The registers of `device`. Must not be dropped: `RawDevice::start` and `Viommu::start` see to that.
    pub fn new(device: &'a RefCell<Device>) -> Self {
        Self { device }
    }

    /// Counts an access to a register; returns the value of each byte if the device is gone.
    fn gone(&self) -> Option<u8> {
        self.device.borrow_mut().touch()
    }
}

impl Transport for FakeTransport<'_> {
    fn device_type(&self) -> DeviceType {
        self.device.borrow().device_type
    }
    fn read_device_features(&mut self) -> u64 {
        match self.gone() {
            Some(byte) => u64::from_ne_bytes([byte; 8]),
            None => self.device.borrow().offered,
        }
    }
    fn write_driver_features(&mut self, features: u64) {
        if self.gone().is_none() {
            self.device.borrow_mut().accepted = features;
        }
    }
    fn max_queue_size(&mut self, queue: u16) -> u32 {
        match self.gone() {
            Some(byte) => u16::from_ne_bytes([byte; 2]).into(),
            None => self.device.borrow().queue_sizes[usize::from(queue)],
        }
    }
    fn notify(&mut self, queue: u16) {
        if self.gone().is_none() {
            self.device.borrow_mut().notified(queue);
        }
    }
    fn get_status(&self) -> DeviceStatus {
        match self.gone() {
            // As in both transports of the crate.
            Some(byte) => DeviceStatus::from_bits_truncate(byte.into()),
            None => DeviceStatus::from_bits_retain(self.device.borrow().status),
        }
    }
    fn set_status(&mut self, status: DeviceStatus) {
        if self.gone().is_none() {
            self.device.borrow_mut().set_status(status.bits());
        }
    }
    fn set_guest_page_size(&mut self, _: u32) {}
    fn requires_legacy_layout(&self) -> bool {
        self.device.borrow().legacy_layout
    }
    fn queue_set(&mut self, queue: u16, size: u32, descriptors: u64, driver_area: u64, device_area: u64) {
        if self.gone().is_some() {
            return;
        }
        let ring = Queue::new(size as u16, descriptors, driver_area, device_area);
        self.device.borrow_mut().queues[usize::from(queue)] = Some(ring);
    }
    fn queue_unset(&mut self, _: u16) {
        unreachable!("PCI ignores it and MMIO waits for ever; the driver resets instead");
    }
    fn queue_used(&mut self, queue: u16) -> bool {
        match self.gone() {
            Some(byte) => byte != 0,
            None => self.device.borrow().queues[usize::from(queue)].is_some(),
        }
    }
    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::empty()
    }
    fn read_config_generation(&self) -> u32 {
        match self.gone() {
            Some(byte) => byte.into(),
            None => self.device.borrow_mut().config_generation(),
        }
    }
    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        assert!(align_of::<T>() <= 4 && offset.is_multiple_of(align_of::<T>()), "aligned");
        let gone = self.gone().map(|byte| vec![byte; size_of::<T>()]);
        if let Some(bytes) = gone {
            return Ok(T::read_from_bytes(&bytes).unwrap());
        }
        let device = self.device.borrow();
        let bytes = device.config.get(offset..offset + size_of::<T>()).ok_or(Error::ConfigSpaceTooSmall)?;
        Ok(T::read_from_bytes(bytes).unwrap())
    }
    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<(), Error> {
        assert_eq!((offset, size_of::<T>()), (36, 1), "only the bypass byte is writable");
        if self.gone().is_some() {
            return Ok(());
        }
        let mut device = self.device.borrow_mut();
        if device.bypass_writable {
            device.config[offset] = value.as_bytes()[0];
        }
        Ok(())
    }
}
