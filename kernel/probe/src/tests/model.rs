//! A machine on the host: firmware, buses, IOMMUs and drivers that only remember what was asked of them.

mod iommu;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::{
    BindError, Bus, BusId, ClaimRefused, Core, DeviceId, Dma, DmaClaim, DmaState, DomainPolicy, DomainType,
    Driver, Finding, FirmwareMap, FwNode, GroupDomain, GroupId, Grouping, InputIds, MapError, NewDevice,
    OwnedGroup, Owner, Provides, Reference, ReservedKind, ReservedRegion, Severity, Translation, TypeRefused,
    TypeRequest, Unit, Untranslated,
};
use addr::{EndpointId, Iova, Range};

use iommu::Ops;
pub(crate) use iommu::{Iommu, SharedModel};

/// A device of the machine; also the handle that the core passes to drivers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// Which driver is for it.
    pub(crate) driver: &'static str,
    /// Its own firmware node.
    pub(crate) node: Option<u32>,
    /// Leader of its isolation class, by name; itself if empty.
    pub(crate) leader: &'static str,
    /// (IOMMU node, endpoint) that firmware names for it.
    pub(crate) refs: Vec<(u32, u32)>,
    /// What firmware says where it names none.
    pub(crate) nowhere: Option<Untranslated>,
    pub(crate) platform: bool,
    pub(crate) disabled: bool,
    pub(crate) untrusted: bool,
    /// A device that must be bound first.
    pub(crate) needs: Option<&'static str>,
}

/// A function on the bus, behind IOMMU node 100, as endpoint `endpoint`.
pub(crate) fn function(name: &'static str, endpoint: u32) -> Spec {
    Spec { name, driver: "client", refs: vec![(100, endpoint)], ..Spec::default() }
}

/// An IOMMU with a node, which firmware puts behind nothing.
pub(crate) fn iommu(name: &'static str, node: u32) -> Spec {
    Spec { name, driver: "iommu", node: Some(node), ..Spec::default() }
}

/// A function with these endpoints, by IOMMU node.
pub(super) fn on(name: &'static str, refs: &[(u32, u32)]) -> Spec {
    Spec { refs: refs.to_vec(), ..function(name, 0) }
}

/// An IOMMU that is itself behind others.
pub(super) fn behind(name: &'static str, node: u32, refs: &[(u32, u32)]) -> Spec {
    Spec { refs: refs.to_vec(), ..iommu(name, node) }
}

/// The machine with these devices and the default choice of domain types.
pub(super) fn machine(specs: Vec<Spec>) -> Machine {
    Machine::new(specs, DomainPolicy::default())
}

/// A driver that binds what names it.
struct ModelDriver {
    name: &'static str,
    /// What it brings for an IOMMU, by device name.
    iommus: BTreeMap<&'static str, SharedModel>,
    fails: BTreeSet<&'static str>,
    declines: BTreeSet<&'static str>,
    manages_dma: bool,
    /// Devices that any driver has bound once.
    bound: Rc<RefCell<BTreeSet<&'static str>>>,
    claims: Claims,
}

/// The claim with which a driver last tried to bind each device.
type Claims = Rc<RefCell<BTreeMap<&'static str, DmaClaim>>>;

impl Driver<Spec> for ModelDriver {
    fn name(&self) -> &'static str {
        self.name
    }

    fn matches(&self, device: &Spec) -> bool {
        device.driver == self.name
    }

    fn manages_dma(&self) -> bool {
        self.manages_dma
    }

    fn bind(&mut self, device: &Spec, claim: DmaClaim) -> Result<Provides, BindError> {
        self.claims.borrow_mut().insert(device.name, claim);
        if self.fails.contains(device.name) {
            return Err(BindError::Failed("will not".into()));
        }
        if self.declines.contains(device.name) {
            return Err(BindError::Declined("not one of mine".into()));
        }
        if let Some(needed) = device.needs
            && !self.bound.borrow().contains(needed)
        {
            return Err(BindError::Defer(format!("needs {needed}")));
        }
        self.bound.borrow_mut().insert(device.name);
        Ok(match self.iommus.get(device.name) {
            Some(iommu) => Provides::Iommu(Rc::new(RefCell::new(Ops(iommu.clone())))),
            None => Provides::Nothing,
        })
    }
}

struct ModelBus {
    name: &'static str,
    specs: Rc<Vec<Spec>>,
}

/// Every device's firmware parent is a node of its own, so that each test says per device what firmware says.
fn parent_of(unit: Unit) -> FwNode {
    FwNode(1000 + unit.0)
}

impl Bus for ModelBus {
    fn name(&self) -> &'static str {
        self.name
    }

    fn input_ids(&self, _: Unit) -> InputIds {
        InputIds::Node
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        Some(parent_of(unit))
    }

    fn is_untrusted(&self, unit: Unit) -> bool {
        self.specs[unit.0 as usize].untrusted
    }

    fn grouping(&self, unit: Unit) -> Grouping {
        let leader = self.specs[unit.0 as usize].leader;
        let position = self.specs.iter().position(|spec| spec.name == leader);
        Grouping { leader: Unit(position.map_or(unit.0, |leader| leader as u32)), why: "test".into() }
    }
}

struct ModelFirmware(Rc<Vec<Spec>>);

impl FirmwareMap for ModelFirmware {
    fn translate(&self, at: FwNode, _: &InputIds) -> Result<Translation, MapError> {
        let spec = &self.0[(at.0 - 1000) as usize];
        if spec.name == "malformed" {
            let finding = Finding {
                id: "bad-map",
                severity: Severity::Error,
                place: spec.name.into(),
                sentence: "its map is wrong".into(),
            };
            return Err(MapError { finding });
        }
        if spec.refs.is_empty() {
            return Ok(Translation::Nowhere(spec.nowhere.unwrap_or(Untranslated::NotInMap)));
        }
        Ok(Translation::Endpoints(
            spec.refs
                .iter()
                .map(|(iommu, endpoint)| Reference {
                    iommu: FwNode(*iommu),
                    endpoint: EndpointId(*endpoint),
                    input: None,
                    source: "model",
                })
                .collect(),
        ))
    }

    fn name(&self, node: FwNode) -> String {
        format!("/node@{}", node.0)
    }
}

/// What a test does to the machine, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Add(usize),
    Register(&'static str),
    Unbind(&'static str),
    Rebind(&'static str),
    Remove(&'static str),
    Expire,
    /// The owner of this name claims the device.
    Claim(&'static str, &'static str),
    /// It releases its last claim, if it has one.
    Release(&'static str),
    Type(&'static str, TypeRequest),
}

pub(crate) struct Machine {
    pub(crate) core: Core<Spec>,
    pub(crate) specs: Rc<Vec<Spec>>,
    pub(crate) iommus: BTreeMap<&'static str, SharedModel>,
    pub(crate) fails: BTreeSet<&'static str>,
    pub(crate) declines: BTreeSet<&'static str>,
    /// Claims that were not released, each with the name of its owner.
    pub(crate) owned: Vec<(&'static str, OwnedGroup)>,
    bound_once: Rc<RefCell<BTreeSet<&'static str>>>,
    claims: Claims,
    platform: BusId,
    pci: BusId,
}

impl Machine {
    pub(crate) fn new(specs: Vec<Spec>, policy: DomainPolicy) -> Self {
        let specs = Rc::new(specs);
        let mut core = Core::fixed(policy, Box::new(ModelFirmware(specs.clone())));
        let platform = core.add_bus(Box::new(ModelBus { name: "platform", specs: specs.clone() }));
        let pci = core.add_bus(Box::new(ModelBus { name: "pci", specs: specs.clone() }));
        let is_iommu = |spec: &&Spec| spec.driver.starts_with("iommu");
        let iommus = specs.iter().filter(is_iommu).map(|spec| (spec.name, SharedModel::default())).collect();
        let (fails, declines) = (BTreeSet::new(), BTreeSet::new());
        Self {
            core,
            specs,
            iommus,
            fails,
            declines,
            owned: Vec::new(),
            bound_once: Rc::default(),
            claims: Rc::default(),
            platform,
            pci,
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Add(index) => {
                let spec = self.specs[index].clone();
                let bus = if spec.platform { self.platform } else { self.pci };
                let unit = Unit(index as u32);
                let new = NewDevice {
                    unit,
                    name: spec.name.into(),
                    node: spec.node.map(FwNode),
                    enabled: !spec.disabled,
                    handle: spec,
                };
                self.core.add_device(bus, new);
            }
            Action::Register(name) => {
                let (iommus, fails, declines) =
                    (self.iommus.clone(), self.fails.clone(), self.declines.clone());
                let manages_dma = name == "port";
                self.core.register_driver(Box::new(ModelDriver {
                    name,
                    iommus,
                    fails,
                    declines,
                    manages_dma,
                    bound: self.bound_once.clone(),
                    claims: self.claims.clone(),
                }));
            }
            Action::Unbind(name) => self.core.unbind(self.id(name)),
            Action::Rebind(name) => self.core.rebind(self.id(name)),
            Action::Remove(name) => self.core.remove_device(self.id(name)),
            Action::Expire => self.core.expire_deferrals(),
            Action::Claim(owner, name) => {
                if let Ok(owned) = self.own(owner, name) {
                    self.owned.push((owner, owned));
                }
            }
            Action::Release(owner) => {
                if let Some(place) = self.owned.iter().rposition(|(other, _)| *other == owner) {
                    let _ = self.core.release(self.owned.remove(place).1);
                }
            }
            Action::Type(name, request) => {
                let _ = self.change_type(name, request);
            }
        }
    }

    /// Adds every device in order, registers the drivers that they need, lets everything settle.
    pub(crate) fn boot(&mut self) {
        for index in 0..self.specs.len() {
            self.act(Action::Add(index));
        }
        for driver in ["iommu", "port", "client"] {
            self.act(Action::Register(driver));
        }
        self.core.settle();
    }

    /// The owner of this name claims the group of a device.
    pub(crate) fn own(
        &mut self,
        owner: &'static str,
        name: &'static str,
    ) -> Result<OwnedGroup, ClaimRefused> {
        self.core.claim_device(self.id(name), Owner(owner.into()))
    }

    pub(crate) fn change_type(
        &mut self,
        name: &str,
        request: TypeRequest,
    ) -> Result<DomainType, TypeRefused> {
        match self.group_of(name) {
            Some(group) => self.core.change_type(group, request),
            None => Err(TypeRefused::NoGroup),
        }
    }

    pub(crate) fn group_of(&self, name: &str) -> Option<GroupId> {
        match self.core.device(self.id(name)).dma() {
            DmaState::Grouped(membership) => Some(membership.group()),
            DmaState::Ungrouped(_) => None,
        }
    }

    /// The type of the default domain of a device's group.
    pub(crate) fn domain_type(&self, name: &str) -> Option<DomainType> {
        let group = self.group_of(name)?;
        self.core.groups().find(|other| other.id() == group)?.domain_type()
    }

    pub(crate) fn id(&self, name: &str) -> DeviceId {
        self.core.devices().find(|device| device.name() == name).expect("the device was added").id()
    }

    /// How a device's DMA was set up when a driver last tried to bind it.
    pub(crate) fn claim(&self, name: &str) -> Option<Dma> {
        self.claims.borrow().get(name).map(DmaClaim::dma)
    }

    /// The domain that a device's driver may map in.
    pub(crate) fn domain_of(&self, name: &str) -> Option<GroupDomain> {
        self.core.domain_of(self.claims.borrow().get(name)?)
    }

    pub(crate) fn iommu(&self, name: &str) -> std::cell::RefMut<'_, Iommu> {
        self.iommus[name].borrow_mut()
    }

    /// Groups as sorted lists of sorted names: what must not depend on any order.
    pub(crate) fn partition(&self) -> Vec<Vec<&str>> {
        let names = |members: &[DeviceId]| {
            let mut names: Vec<&str> =
                members.iter().map(|member| self.core.device(*member).handle().name).collect();
            names.sort_unstable();
            names
        };
        let mut groups: Vec<_> = self.core.groups().map(|group| names(group.members())).collect();
        groups.sort();
        groups
    }

    /// Devices that a driver has bound, sorted.
    pub(crate) fn bound(&self) -> Vec<&str> {
        let bound = self.core.devices().filter(|device| device.driver().is_some());
        let mut names: Vec<&str> = bound.map(|device| device.handle().name).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn why_not(&self, name: &str) -> String {
        let device = self.core.device(self.id(name));
        self.core.no_group(device).map_or_else(|| "in a group".into(), |reason| reason.to_string())
    }

    /// Whether its reason to be without a group means that isolation is lost.
    pub(crate) fn is_lost(&self, name: &str) -> bool {
        self.core.no_group(self.core.device(self.id(name))).is_some_and(|reason| reason.is_loss())
    }

    pub(crate) fn finding_ids(&self) -> Vec<&'static str> {
        self.core.findings().iter().map(|finding| finding.id).collect()
    }

    pub(crate) fn assert_invariants(&self) {
        for verdict in self.core.invariants() {
            assert_eq!(verdict.broken_by, None, "{}", verdict.id);
        }
    }
}

pub(crate) fn msi(start: u64, end: u64) -> ReservedRegion {
    ReservedRegion { range: Range::new(Iova(start), Iova(end)).unwrap(), kind: ReservedKind::Msi }
}

/// Every endpoint of the IOMMU that is attached is in a domain of its own, and there are no other domains.
pub(super) fn assert_no_leftover(machine: &Machine) {
    for (name, iommu) in &machine.iommus {
        let iommu = iommu.borrow();
        let used: std::collections::BTreeSet<u32> = iommu.attached.values().copied().collect();
        let there: std::collections::BTreeSet<u32> = iommu.domains.keys().copied().collect();
        assert_eq!(used, there, "domains of {name}");
    }
}
