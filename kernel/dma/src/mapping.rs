//! A buffer that a device can access.

use addr::{Iova, PhysAddr, Range};
use probe::Prot;

/// Who writes and who reads, from the point of view of the CPU's driver (Linux: `enum dma_data_direction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The device only reads.
    ToDevice,
    /// The device only writes. Linux gives it no read access either (`dma_info_to_prot`).
    FromDevice,
    /// Both.
    Both,
}

impl Direction {
    /// The accesses that the IOMMU has to allow, to RAM.
    #[must_use]
    pub fn prot(self) -> Prot {
        Prot {
            read: matches!(self, Self::ToDevice | Self::Both),
            write: matches!(self, Self::FromDevice | Self::Both),
            mmio: false,
        }
    }
}

/// A buffer that a device can access at an I/O virtual address until it is unmapped.
///
/// It has to be given back to the [`AddressSpace`](crate::AddressSpace) that made it. Dropping it leaks the address, and
/// the device keeps its access.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the device keeps its access until the mapping is unmapped"]
pub struct DmaMapping {
    pub(crate) iova: Range<Iova>,
    pub(crate) phys: Range<PhysAddr>,
}

impl DmaMapping {
    /// The addresses for the device.
    #[must_use]
    pub fn iova(&self) -> Range<Iova> {
        self.iova
    }

    /// The physical addresses that they lead to.
    #[must_use]
    pub fn phys(&self) -> Range<PhysAddr> {
        self.phys
    }
}
