//! The devices that can transfer data, each with the memory that it can be given.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::{EndpointId, Iova, Range};
use dma::{AddressSpace, DmaMask, Invalidation, SpaceError};
use kernel::{Handle, Hardware, Probing};
use probe::{DmaState, DomainType, GroupId};

use super::domain::Domain;
use super::drivers::Kind;
use super::engine::EduRegisters;
use super::memory::{DeviceMemory, Route, Space};
use super::mutation::Mutation;

/// Virtio device types (virtio 1.2, section 5).
const NET: u32 = 1;
const BLOCK: u32 = 2;
const ENTROPY: u32 = 4;

/// The kind of a device, for the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// `virtio-blk`.
    Block,
    /// `virtio-net`.
    Net,
    /// `virtio-rng`.
    Entropy,
    /// `edu`.
    Edu,
    /// `iommu-testdev`.
    TestDevice,
}

/// A device whose driver has a claim.
#[derive(Clone)]
pub(crate) struct DmaDevice {
    pub(crate) handle: Handle,
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) memory: DeviceMemory,
    /// The group that translates it, if one does.
    pub(crate) group: Option<GroupId>,
    /// Type of the group's default domain.
    pub(crate) domain_type: Option<DomainType>,
    /// Why nothing translates it.
    pub(crate) direct_because: Option<String>,
    /// Its endpoints, each with its IOMMU.
    pub(crate) endpoints: Vec<(Handle, EndpointId)>,
}

/// The address spaces of groups, which are made when they are needed first.
#[derive(Default)]
pub(crate) struct Spaces {
    by_group: BTreeMap<GroupId, Space>,
    pub(crate) mutation: Option<Mutation>,
}

impl Engine {
    /// The engine that a device is, if it is one.
    pub(crate) fn of(hardware: &Hardware, device: Handle) -> Option<Self> {
        match hardware.virtio_type(device) {
            Some(NET) => Some(Self::Net),
            Some(BLOCK) => Some(Self::Block),
            Some(ENTROPY) => Some(Self::Entropy),
            Some(_) => None,
            None if Kind::Edu.is(hardware, device) => Some(Self::Edu),
            None if Kind::TestDevice.is(hardware, device) => Some(Self::TestDevice),
            None => None,
        }
    }

    /// As QEMU names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Block => "virtio-blk",
            Self::Net => "virtio-net",
            Self::Entropy => "virtio-rng",
            Self::Edu => "edu",
            Self::TestDevice => "iommu-testdev",
        }
    }

    /// Whether it is a virtio device.
    pub(crate) fn is_virtio(self) -> bool {
        matches!(self, Self::Block | Self::Net | Self::Entropy)
    }

    /// The address bits that it has.
    pub(crate) fn mask(self) -> DmaMask {
        match self {
            Self::Edu => EduRegisters::MASK,
            _ => DmaMask::ALL,
        }
    }
}

impl Spaces {
    /// With a defect, or without.
    pub(crate) fn new(mutation: Option<Mutation>) -> Self {
        Self { by_group: BTreeMap::new(), mutation }
    }

    /// All devices that can transfer data and whose drivers have bound.
    ///
    /// # Errors
    ///
    /// The domain of a group cannot be used.
    pub(crate) fn devices(&mut self, probing: &Probing) -> Result<Vec<DmaDevice>, SpaceError> {
        let mut devices = Vec::new();
        for handle in probing.claims.devices() {
            if let Some(engine) = Engine::of(&probing.hardware, handle) {
                devices.push(self.device(probing, handle, engine)?);
            }
        }
        Ok(devices)
    }

    fn device(&mut self, probing: &Probing, handle: Handle, engine: Engine) -> Result<DmaDevice, SpaceError> {
        let core = &probing.core;
        let domain = probing.claims.with(handle, |claim| core.domain_of(claim)).flatten();
        let device = core.devices().find(|device| *device.handle() == handle);
        let mut this = DmaDevice {
            handle,
            name: probing.hardware.name(handle),
            engine,
            memory: DeviceMemory { route: Route::Direct, mask: engine.mask() },
            group: domain.as_ref().map(|domain| domain.group()),
            domain_type: domain.as_ref().map(|domain| domain.domain_type()),
            direct_because: device.and_then(|device| core.no_group(device)).map(|why| why.to_string()),
            endpoints: Vec::new(),
        };
        if let Some(DmaState::Grouped(membership)) = device.map(|device| device.dma()) {
            for fwspec in membership.fwspecs() {
                let iommu = *core.device(core.instance(fwspec.instance).device()).handle();
                this.endpoints.extend(fwspec.endpoints.iter().map(|endpoint| (iommu, *endpoint)));
            }
        }
        let invalidation = match this.domain_type {
            Some(DomainType::Dma) => Invalidation::Strict,
            Some(DomainType::DmaFq) => Invalidation::Batched,
            Some(DomainType::Identity) => {
                this.direct_because = Some("the default domain of its group is identity".to_string());
                return Ok(this);
            }
            None => return Ok(this),
        };
        let Some(domain) = domain else { return Ok(this) };
        let group = domain.group();
        if !self.by_group.contains_key(&group) {
            let windows = bridge_windows(probing, group);
            let domain = Domain::new(domain, windows, self.mutation);
            let reserved = domain.reserved();
            let space = AddressSpace::new(domain, reserved, invalidation)?;
            self.by_group.insert(group, Rc::new(RefCell::new(space)));
        }
        if let Some(space) = self.by_group.get(&group) {
            this.memory.route = Route::Translated(space.clone());
        }
        Ok(this)
    }
}

/// The windows of the host bridges that the members of a group are behind. Linux asks the first device of a domain only.
pub(crate) fn bridge_windows(probing: &Probing, group: GroupId) -> Vec<Range<Iova>> {
    let core = &probing.core;
    let members = core.groups().find(|one| one.id() == group).map_or(&[][..], |group| group.members());
    let mut windows: Vec<Range<Iova>> = Vec::new();
    for member in members {
        for window in probing.hardware.bridge_windows(*core.device(*member).handle()) {
            if !windows.contains(&window) {
                windows.push(window);
            }
        }
    }
    windows
}

impl DmaDevice {
    /// Whether the domain of its group translates it.
    pub(crate) fn is_translated(&self) -> bool {
        matches!(self.memory.route, Route::Translated(_))
    }

    /// The device with physical addresses instead of a domain.
    pub(crate) fn untranslated(&self) -> Self {
        Self { memory: DeviceMemory { route: Route::Direct, mask: self.memory.mask }, ..self.clone() }
    }

    /// Identifier of a case of the suite for this device.
    pub(crate) fn case_id(&self, case: &str) -> String {
        format!("{case}/{}@{}", self.engine.name(), self.name)
    }
}
