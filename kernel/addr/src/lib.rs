//! Addresses and identifiers that must not be confused with each other.
//!
//! A physical address is not an I/O virtual address, and a requester ID on the PCI bus is not the
//! endpoint ID that an IOMMU uses for the same device. Each is a separate type here; each
//! conversion between two of them is a named function at the point where firmware or hardware
//! defines the conversion.
//!
//! Nothing here allocates, reads hardware or depends on another crate.

#![no_std]
#![forbid(unsafe_code)]

mod cpu;
pub mod hex;
mod pci;
mod range;
mod window;

pub use cpu::CpuAffinity;
pub use pci::{DeviceFunction, ParsePciAddressError, PciAddress, RequesterId};
pub use range::Range;
pub use window::{PciSpace, PciWindow};

use core::fmt;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The address `bytes` further on, or `None` past the end of the address space.
            #[must_use]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(hex::Hex::new(self.0).as_str())
            }
        }

        impl From<$name> for u64 {
            fn from(address: $name) -> u64 {
                address.0
            }
        }

        impl From<u64> for $name {
            fn from(address: u64) -> Self {
                Self(address)
            }
        }
    };
}

address! {
    /// An address as the CPU sees it behind its own translation: RAM or a device's window.
    PhysAddr
}

address! {
    /// An address as a device puts it on the bus, before an IOMMU translates it.
    Iova
}

/// The number that an IOMMU uses for one source of DMA.
///
/// For a virtio-iommu this is the `endpoint` of its requests (virtio 1.2, section 5.13.6). Firmware
/// defines it: as the output of `iommu-map`, as a cell of `iommus`, as `endpoint_start` of VIOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub u32);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex::Hex::new(self.0.into()).as_str())
    }
}
