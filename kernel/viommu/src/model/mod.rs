//! A model device: a virtio-iommu in ordinary memory, for tests on a host.
//!
//! [`Device`] answers as specified (virtio 1.2, section 5.13.6) and fails the test if the
//! driver breaks a rule: a reserved field that is not 0, a mapping outside of the aperture, a chain
//! that is malformed, memory that is freed too early. Its fields are its state: which endpoints exist, to which domain each is
//! attached, what is mapped there. Some fields make it break rules ([`Serve`] above all).
//!
//! [`start`] starts the driver on it. Memory comes from [`FakeHal`], which knows what the driver shares
//! and what it frees: the device cannot be made to access anything else. Time passes only while the
//! driver waits ([`FakeClock`]), so that two seconds of waiting take microseconds.
//!
//! ```
//! use core::cell::RefCell;
//!
//! use addr::{EndpointId, Iova, PhysAddr, Range};
//! use probe::{DomainKind, IommuOps, Prot};
//! use viommu::model::{self, Device};
//!
//! let device = RefCell::new(Device::new(&[8]));
//! let mut viommu = model::start(&device).unwrap();
//! let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
//! viommu.attach(domain, EndpointId(8)).unwrap();
//! let page = Range::from_size(Iova(0x1000), 0x1000).unwrap();
//! let prot = Prot { read: true, write: false, mmio: false };
//! viommu.map(domain, page, PhysAddr(0x4000_0000), prot).unwrap();
//! assert_eq!(device.borrow().attached[&8], domain.0);
//! assert_eq!(device.borrow().domains[&domain.0].mappings[&0x1000], (0x1fff, 0x4000_0000, 1));
//! ```

mod device;
pub mod hostile;
mod memory;
mod request;
mod ring;
mod transport;

pub use device::{Device, DomainState, PROBE_SIZE, QEMU_FEATURES, Serve};
#[cfg(test)]
pub(crate) use device::{INVAL, NOENT, UNSUPP};
use memory::shared;
pub use memory::{FakeHal, fail_allocations, live_pages, read, reclaim, write};
use ring::RingArea;
pub use ring::{Chain, Ring};
use transport::STEP_US;
pub use transport::{FakeClock, FakeTransport, TestRaw, TestViommu, start};
