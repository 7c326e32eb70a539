//! The virtio-iommu driver (virtio 1.2, section 5.13) on `virtio-drivers`' transports and queues.

#![no_std]

extern crate alloc;
