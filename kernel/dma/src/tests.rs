//! Behaviour of allocator and address space, against models.

mod addresses;
mod iommu;
mod random;
mod spaces;
