//! `virtio-drivers` shares memory through a type. This one shares it with the device that is in use at the moment.
//!
//! Each buffer is copied to pages of its own and back, so a device reaches nothing else, whatever else is in the
//! pages of the buffer itself.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;
use core::ptr::NonNull;

use addr::{Iova, PhysAddr};
use dma::{Direction, UnmapError};
use spin::Mutex;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr as DeviceAddress};

use super::memory::{Buffer, DeviceMemory, ShareError};

/// An address that no device reaches: `Hal::share` cannot fail, so this is what a device gets then.
const UNREACHABLE: DeviceAddress = !0xfff;

/// `virtio-drivers` takes this address for a failed allocation.
const NO_MEMORY: DeviceAddress = 0;

/// Shares memory with the device whose [`Session`] is running.
pub(super) struct SpaceHal;

/// A buffer that was shared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// The address for the device.
    pub(super) address: Iova,
    /// Where it led to.
    pub(super) phys: PhysAddr,
    pub(super) bytes: usize,
    pub(super) direction: Direction,
}

/// What went wrong with the memory of a device in use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// A buffer cannot be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A buffer cannot be taken back.
    #[error(transparent)]
    Unmap(#[from] UnmapError),
    /// The device may still use its buffers.
    #[error("the device does not confirm a reset; its memory is leaked")]
    Stuck,
}

/// The memory of the device in use.
struct Session {
    memory: DeviceMemory,
    /// Buffers that the device can access, by its addresses.
    out: BTreeMap<DeviceAddress, Buffer>,
    log: Vec<Shared>,
    /// What failed first.
    error: Option<SessionError>,
    /// Whether the device may still access its buffers, so that they are leaked.
    is_stuck: bool,
}

/// The session that is running. It never leaves the CPU that has begun it.
struct OnThisCpu(Session);

// SAFETY: `with_device` is called on the first CPU only, after the second one has been told to stop, and takes the
// value out again before it returns; the functions of the `Hal` are only called from inside of it.
unsafe impl Send for OnThisCpu {}

static RUNNING: Mutex<Option<OnThisCpu>> = Mutex::new(None);

/// Runs `work`, in which every buffer that a driver of `virtio-drivers` shares is shared through `memory`.
///
/// # Errors
///
/// The first failure of sharing, of taking back, or of `work`.
pub(super) fn with_device<T, E: From<SessionError>>(
    memory: DeviceMemory,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let session = Session { memory, out: BTreeMap::new(), log: Vec::new(), error: None, is_stuck: false };
    let outer = RUNNING.lock().replace(OnThisCpu(session));
    assert!(outer.is_none(), "one device is in use at a time");
    let outcome = work();
    // Dropping the session leaks the buffers that the device has not given back.
    match RUNNING.lock().take().and_then(|session| session.0.error) {
        Some(error) => Err(error.into()),
        None => outcome,
    }
}

/// The buffers that were shared since the last call.
pub(super) fn take_log() -> Vec<Shared> {
    with_session(|session| mem::take(&mut session.log)).unwrap_or_default()
}

/// From now on, nothing that the device can access is freed: it did not confirm a reset.
pub(super) fn keep_everything() {
    with_session(|session| {
        session.is_stuck = true;
        session.fail(SessionError::Stuck);
    });
}

fn with_session<T>(work: impl FnOnce(&mut Session) -> T) -> Option<T> {
    RUNNING.lock().as_mut().map(|running| work(&mut running.0))
}

impl Session {
    fn share(&mut self, bytes: usize, direction: Direction) -> Result<&Buffer, ShareError> {
        let buffer = self.memory.share(bytes, direction)?;
        let (address, phys) = (buffer.address(), buffer.phys().start());
        self.log.push(Shared { address, phys, bytes, direction });
        Ok(self.out.entry(address.0).or_insert(buffer))
    }

    fn fail(&mut self, error: impl Into<SessionError>) {
        self.error.get_or_insert_with(|| error.into());
    }

    /// Takes the buffer at `address` back, after `look` at it; false if the device keeps it.
    fn take_back(&mut self, address: DeviceAddress, look: impl FnOnce(&Buffer)) -> bool {
        let Some(buffer) = self.out.remove(&address) else {
            return address == UNREACHABLE;
        };
        look(&buffer);
        if self.is_stuck {
            // Dropping a buffer leaks it.
            return false;
        }
        self.memory.take_back(buffer).map_err(|error| self.fail(error)).is_ok()
    }
}

// SAFETY: Memory is `DmaPages`, aligned to a page at least, zeroed, and nothing else refers to it until it is taken back.
unsafe impl Hal for SpaceHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (DeviceAddress, NonNull<u8>) {
        let allocated = with_session(|session| {
            let shared = session.share(pages.saturating_mul(PAGE_SIZE), Direction::Both);
            let place = shared.map(|buffer| (buffer.address().0, buffer.pages().start()));
            place.map_err(|error| session.fail(error)).ok()
        });
        allocated.flatten().unwrap_or((NO_MEMORY, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(address: DeviceAddress, _: NonNull<u8>, _: usize) -> i32 {
        // A number other than 0 makes the crate panic; the failure is in the session.
        with_session(|session| session.take_back(address, |_| {}));
        0
    }

    unsafe fn mmio_phys_to_virt(address: DeviceAddress, _: usize) -> NonNull<u8> {
        // Transports are made by the kernel's library, with a `Hal` of its own.
        unreachable!("a driver does not map registers: {address:#x}")
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> DeviceAddress {
        let direction = direction_of(direction);
        let shared = with_session(|session| match session.share(buffer.len(), direction) {
            Ok(shared) => {
                if direction != Direction::FromDevice {
                    // SAFETY: The caller's buffer is valid, and nothing else accesses it meanwhile.
                    shared.pages().write(0, unsafe { buffer.as_ref() });
                }
                shared.address().0
            }
            Err(error) => {
                session.fail(error);
                UNREACHABLE
            }
        });
        shared.unwrap_or(UNREACHABLE)
    }

    unsafe fn unshare(address: DeviceAddress, mut buffer: NonNull<[u8]>, direction: BufferDirection) {
        let copy_back = |shared: &Buffer| {
            if direction_of(direction) != Direction::ToDevice {
                // SAFETY: The caller's buffer is valid, and nothing else accesses it meanwhile.
                shared.pages().read(0, unsafe { buffer.as_mut() });
            }
        };
        with_session(|session| session.take_back(address, copy_back));
    }
}

fn direction_of(direction: BufferDirection) -> Direction {
    match direction {
        BufferDirection::DriverToDevice => Direction::ToDevice,
        BufferDirection::DeviceToDriver => Direction::FromDevice,
        BufferDirection::Both => Direction::Both,
    }
}
