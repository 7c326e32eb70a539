//! What the driver reaches the device by: registers, a clock and memory.

use core::ptr::NonNull;

use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PhysAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::world::{Moment, World, with};
use crate::clock::Clock;
use crate::model::{FakeHal, Ring};
use crate::wire::config_offset;

/// The clock of this thread's device.
pub(super) struct HostileClock;

impl Clock for HostileClock {
    fn now_us(&self) -> u64 {
        with(|world| {
            world.moment(Moment::Access);
            world.now
        })
    }

    fn relax(&self) {
        with(World::wait);
    }
}

/// [`FakeHal`], with the device watching.
pub(super) struct HostileHal;

// SAFETY: It does what `FakeHal` does.
unsafe impl Hal for HostileHal {
    fn dma_alloc(pages: usize, direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        FakeHal::dma_alloc(pages, direction)
    }

    unsafe fn dma_dealloc(paddr: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: The caller's duties are the same.
        unsafe { FakeHal::dma_dealloc(paddr, start, pages) }
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("the driver maps no registers")
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        with(|world| world.moment(Moment::Share));
        // SAFETY: The caller's duties are the same.
        unsafe { FakeHal::share(buffer, direction) }
    }

    unsafe fn unshare(paddr: PhysAddr, buffer: NonNull<[u8]>, direction: BufferDirection) {
        with(|world| world.moment(Moment::Share));
        // SAFETY: The caller's duties are the same.
        unsafe { FakeHal::unshare(paddr, buffer, direction) }
    }
}

/// The registers of this thread's device.
pub(super) struct HostileTransport;

impl Drop for HostileTransport {
    fn drop(&mut self) {
        panic!("the transport's destructor may wait for ever and must not run");
    }
}

/// Lets the device act, and then answer; if its registers are off, `gone` is given their bytes.
fn access<A>(gone: impl FnOnce(u8) -> A, answer: impl FnOnce(&mut World) -> A) -> A {
    with(|world| {
        world.moment(Moment::Access);
        match world.gone {
            Some(byte) => gone(byte),
            None => answer(world),
        }
    })
}

impl Transport for HostileTransport {
    fn device_type(&self) -> DeviceType {
        with(|world| world.device.device_type)
    }

    fn read_device_features(&mut self) -> u64 {
        access(|byte| u64::from_ne_bytes([byte; 8]), |world| world.device.offered)
    }

    fn write_driver_features(&mut self, features: u64) {
        access(|_| (), |world| world.device.accepted = features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        access(
            |byte| u16::from_ne_bytes([byte; 2]).into(),
            |world| world.device.queue_sizes[usize::from(queue)],
        )
    }

    fn notify(&mut self, queue: u16) {
        access(|_| (), |world| world.notified(queue));
    }

    fn get_status(&self) -> DeviceStatus {
        with(|world| {
            world.moment(Moment::Access);
            world.status()
        })
    }

    fn set_status(&mut self, status: DeviceStatus) {
        with(|world| {
            world.moment(Moment::Access);
            world.confirmed_reset = false;
            match world.gone {
                Some(_) => world.device.status_writes.push(status.bits()),
                None => world.device.set_status(status.bits()),
            }
        });
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        with(|world| world.device.legacy_layout)
    }

    fn queue_set(&mut self, queue: u16, size: u32, descriptors: u64, driver_area: u64, device_area: u64) {
        access(
            |_| (),
            |world| {
                let ring = Ring::new(size as u16, descriptors, driver_area, device_area);
                world.device.queues[usize::from(queue)] = Some(ring);
            },
        );
    }

    fn queue_unset(&mut self, _: u16) {
        unreachable!("PCI ignores it and MMIO waits for ever; the driver resets instead");
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        access(
            |byte| byte != 0,
            |world| world.queue_in_use || world.device.queues[usize::from(queue)].is_some(),
        )
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::empty()
    }

    fn read_config_generation(&self) -> u32 {
        access(u32::from, |world| {
            if world.false_generation {
                world.lied_about_config = true;
                world.generation = u32::from(world.bytes.byte());
            }
            world.generation
        })
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        assert!(align_of::<T>() <= 4 && offset.is_multiple_of(align_of::<T>()), "aligned");
        with(|world| {
            world.moment(Moment::Access);
            let mut value = T::new_zeroed();
            world.config_bytes(offset, value.as_mut_bytes()).map(|()| value)
        })
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<(), Error> {
        assert_eq!((offset, size_of::<T>()), (config_offset::BYPASS, 1), "only the bypass byte is writable");
        access(
            |_| Ok(()),
            |world| {
                if !world.device.bypass_writable {
                    return Ok(());
                }
                let byte = world.config.get_mut(offset).ok_or(Error::ConfigSpaceTooSmall)?;
                *byte = value.as_bytes()[0];
                Ok(())
            },
        )
    }
}
