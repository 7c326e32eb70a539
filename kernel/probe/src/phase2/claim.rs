//! The proof that a device's DMA is set up.
//!
//! A driver cannot bind without one, and only phase 2 has the means to make one. So this, which is how a driver came
//! to run untranslated in front of an IOMMU that was about to group its device, does not compile:
//!
//! ```compile_fail,E0451
//! use probe::{BindError, DeviceId, Direct, Dma, DmaClaim, Driver, Provides};
//!
//! /// The first IOMMU that firmware names is ready; whether the second one is ready is not asked.
//! fn bind_at_once(driver: &mut dyn Driver<u32>, handle: &u32, device: DeviceId) -> Result<Provides, BindError> {
//!     let claim = DmaClaim { device, dma: Dma::Direct(Direct::MapInvalid) };
//!     driver.bind(handle, claim)
//! }
//! ```
//!
//! The same with a claim that phase 2 made compiles, and the names that the example above uses exist:
//!
//! ```
//! use probe::{BindError, DeviceId, Direct, Dma, DmaClaim, Driver, Provides};
//!
//! fn bind(driver: &mut dyn Driver<u32>, handle: &u32, claim: DmaClaim) -> Result<Provides, BindError> {
//!     let _fields: (DeviceId, Dma) = (claim.device(), Dma::Direct(Direct::MapInvalid));
//!     driver.bind(handle, claim)
//! }
//! ```
//!
//! Nor does a bind that leaves phase 2 out, as in a path where nothing has asked about the device:
//!
//! ```compile_fail,E0061
//! use probe::{BindError, DmaClaim, Driver, Provides};
//!
//! fn bind(driver: &mut dyn Driver<u32>, device: &u32, claim: DmaClaim) -> Result<Provides, BindError> {
//!     driver.bind(device)
//! }
//! ```
//!
//! One answer is good for one bind: it does not outlive the attempt.
//!
//! ```compile_fail,E0382
//! use probe::{BindError, DmaClaim, Driver, Provides};
//!
//! fn bind(drivers: [&mut dyn Driver<u32>; 2], device: &u32, claim: DmaClaim) -> Result<Provides, BindError> {
//!     let [first, second] = drivers;
//!     first.bind(device, claim).or_else(|_| second.bind(device, claim))
//! }
//! ```
//!
//! With the claim that phase 2 gave, for one driver, it is:
//!
//! ```
//! use probe::{BindError, DmaClaim, Driver, Provides};
//!
//! fn bind(driver: &mut dyn Driver<u32>, device: &u32, claim: DmaClaim) -> Result<Provides, BindError> {
//!     driver.bind(device, claim)
//! }
//! ```

use crate::data::domain::DomainType;
use crate::data::firmware::Untranslated;
use crate::data::id::{DeviceId, DomainHandle, GroupId, InstanceId};

/// Proof that a device's DMA is set up, and how. Phase 2 makes one for each attempt to bind.
#[derive(Debug)]
pub struct DmaClaim {
    device: DeviceId,
    dma: Dma,
}

/// How a device's DMA is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dma {
    /// Through the default domain of its group.
    Translated {
        /// The group.
        group: GroupId,
        /// Type of its default domain.
        domain_type: DomainType,
        /// The first IOMMU that the device is behind.
        instance: InstanceId,
        /// The group's domain there, to which the device is attached. The group has one on every other IOMMU too
        /// that the device is behind.
        domain: DomainHandle,
    },
    /// Past every IOMMU.
    Direct(Direct),
}

/// Why nothing translates a device that a driver binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direct {
    /// It is not behind an IOMMU.
    Untranslated(Untranslated),
    /// Firmware's description of its IOMMU is wrong.
    MapInvalid,
    /// It is an IOMMU, which never translates itself.
    IsIommu,
    /// Its IOMMU does not accept it.
    Refused,
    /// The bind did not wait for phase 1, for its IOMMU, or for its group's default domain.
    DependencyIgnored,
}

impl DmaClaim {
    /// For phase 2 alone: what has been found set up.
    pub(in crate::phase2) fn new(device: DeviceId, dma: Dma) -> Self {
        Self { device, dma }
    }

    /// The device that it was made for, and that it binds.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// How it is set up.
    #[must_use]
    pub fn dma(&self) -> Dma {
        self.dma
    }

    /// The group whose default domain translates the device; none if nothing does.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        match self.dma {
            Dma::Translated { group, .. } => Some(group),
            Dma::Direct(_) => None,
        }
    }
}
