//! A scenario's machine, running.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use pci::{LinuxPciBus, Topology};
use probe::{Activity, BusId, Core, DeviceId, DmaState, DomainPolicy, InstanceState, Path, Verdict};

use crate::copied::{SharedPci, WorldModels};
use crate::firmware::ScenarioMap;
use crate::model::{Handle, Platform};
use crate::ownership::Claims;
use crate::plan::Plan;
use crate::spec::{Device, Grain};
use crate::step::Step;

/// Groups, and the devices in each, by name.
pub type Partition = BTreeSet<BTreeSet<String>>;

/// The state of a machine: its core, and the activities in progress.
pub struct World {
    pub(crate) plan: Rc<Plan>,
    pub(crate) core: Core<Handle>,
    pub(crate) platform: BusId,
    pub(crate) pci: BusId,
    linux_pci: SharedPci,
    /// The device in the core, for each device of the scenario that is present.
    pub(crate) present: Vec<Option<DeviceId>>,
    /// The device that was removed last.
    pub(crate) gone: Option<(DeviceId, usize)>,
    /// Activities in progress.
    pub(crate) running: Vec<Activity>,
    pub(crate) claims: Claims,
    /// Events that were read from the core, and those of the world itself.
    pub(crate) happened: Vec<String>,
    /// Number of pieces of walks that were done without a choice of another activity.
    pub(crate) idle_pieces: usize,
    /// Whether a step unbinds or removes an IOMMU.
    walks_can_repeat: bool,
}

impl World {
    /// A machine without a device and without a driver, on a path.
    pub(crate) fn bare(plan: &Rc<Plan>, path: Path) -> Self {
        let mut core = Core::new(path, DomainPolicy::default(), Box::new(ScenarioMap(plan.firmware.clone())));
        let platform = core.add_bus(Box::new(Platform));
        let pci = core.add_bus(Box::new(plan.pci.clone()));
        let linux_pci = SharedPci::new(LinuxPciBus::new(plan.topology.clone(), Rc::new(Topology::isolate)));
        core.group_as_linux(pci, Box::new(linux_pci.clone()));
        let present = plan.scenario.devices.iter().map(|_| None).collect();
        let is_iommu =
            |name: &str| plan.place(name).is_ok_and(|place| plan.scenario.devices[place].iommu.is_some());
        let repeats = |step: &Step| {
            matches!(step, Step::Unbind(_) | Step::Remove(_)) && step.device().is_some_and(is_iommu)
        };
        let walks_can_repeat = plan.scenario.steps.iter().any(repeats);
        Self {
            plan: plan.clone(),
            core,
            platform,
            pci,
            linux_pci,
            present,
            gone: None,
            running: Vec::new(),
            claims: Claims::default(),
            happened: Vec::new(),
            idle_pieces: 0,
            walks_can_repeat,
        }
    }

    /// Takes the activity that the last step has begun, for a caller that continues it by
    /// [`advance`](Self::advance).
    pub fn take_begun(&mut self) -> Option<Activity> {
        self.running.pop()
    }

    /// Takes the activity that has been queued longest, of those of IOMMUs or of all others.
    pub fn take_queued(&mut self, about_iommus: bool) -> Option<Activity> {
        let is_iommu = |id: DeviceId| {
            let place = self.present.iter().position(|present| *present == Some(id));
            place.is_some_and(|place| self.plan.scenario.devices[place].iommu.is_some())
        };
        let position = self.core.queued().position(|id| is_iommu(id) == about_iommus)?;
        self.core.take_at(position)
    }

    /// One piece, in the scenario's grain.
    pub fn advance(&mut self, activity: Activity) -> Option<Activity> {
        let mut rest = self.core.advance(activity)?;
        while self.goes_on(&rest) {
            self.idle_pieces += usize::from(rest.is_walk());
            rest = self.core.advance(rest)?;
        }
        Some(rest)
    }

    /// Whether no other activity can run before the next piece, or none that would make a
    /// difference.
    fn goes_on(&self, rest: &Activity) -> bool {
        self.plan.scenario.grain == Grain::Walk
            && (!rest.is_walk() || !self.plan.every_piece && self.core.next_is_idle(rest))
    }

    /// Completes all activities in progress or queued, one after the other, and checks the
    /// invariants.
    pub fn rest(&mut self) {
        loop {
            while let Some(activity) = self.running.pop() {
                self.running.extend(self.core.advance(activity));
            }
            match self.core.take() {
                Some(activity) => self.running.push(activity),
                None => break,
            }
        }
        self.core.settle();
    }

    /// Whether no activity is in progress or queued.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.running.is_empty() && self.core.queued().next().is_none()
    }

    /// An independent copy.
    #[must_use]
    pub fn fork(&self) -> Self {
        let linux_pci = self.linux_pci.fork();
        let core = self.core.fork(&WorldModels { plan: &self.plan, linux_pci: &linux_pci });
        Self {
            plan: self.plan.clone(),
            claims: self.claims.forked(&core),
            happened: self.happened.clone(),
            core,
            platform: self.platform,
            pci: self.pci,
            linux_pci,
            present: self.present.clone(),
            gone: self.gone,
            running: self.running.clone(),
            idle_pieces: self.idle_pieces,
            walks_can_repeat: self.walks_can_repeat,
        }
    }

    /// Hashes the state that determines all further behaviour.
    pub fn hash_state(&self, state: &mut impl Hasher) {
        self.linux_pci.isolation().hash(state);
        self.core.hash_state(&self.running, self.may_walk(), state);
        self.claims.hash(&self.core, state);
    }

    /// Whether an IOMMU walks the buses, or may do so later.
    fn may_walk(&self) -> bool {
        let is_over = |device: &Device| {
            self.core.instances().any(|instance| {
                self.core.device(instance.device()).name() == device.name
                    && (instance.state() == InstanceState::Ready
                        || self.core.linux().is_unregistered(instance.id()))
            })
        };
        let mut iommus = self.plan.scenario.devices.iter().filter(|device| device.iommu.is_some());
        self.walks_can_repeat || iommus.any(|device| !is_over(device))
    }

    /// The groups.
    #[must_use]
    pub fn partition(&self) -> Partition {
        let name = |id: &DeviceId| self.core.device(*id).name().to_string();
        self.core.groups().map(|group| group.members().iter().map(name).collect()).collect()
    }

    /// Violated invariants, each with its first violation.
    #[must_use]
    pub fn invariants(&self) -> [Verdict; 11] {
        self.core.invariants()
    }

    /// Whether an invariant is broken.
    #[must_use]
    pub fn breaks_something(&self) -> bool {
        self.core.breaks_something()
    }

    /// The core, for callers that need more details.
    #[must_use]
    pub fn core(&self) -> &Core<impl Clone> {
        &self.core
    }

    /// Devices without a group, with the reason.
    #[must_use]
    pub fn without_group(&self) -> Vec<(String, String)> {
        let devices = self.core.devices().filter(|device| !matches!(device.dma(), DmaState::Grouped(_)));
        devices
            .filter_map(|device| Some((device.name().to_string(), self.core.no_group(device)?.to_string())))
            .collect()
    }

    /// Drops events and findings.
    pub fn forget_what_happened(&mut self) {
        self.core.forget_what_happened();
        self.happened.clear();
    }
}
