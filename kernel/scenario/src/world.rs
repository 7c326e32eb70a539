//! A scenario's machine, running.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use pci::{LinuxPciBus, Topology};
use probe::{
    Activity, BusId, Core, DeviceId, DmaState, DomainPolicy, InstanceState, NewDevice, Path, Unit, Verdict,
};

use crate::copied::{SharedPci, WorldModels};
use crate::error::{ScenarioError, StepError};
use crate::firmware::{ScenarioMap, node};
use crate::model::{Handle, Platform};
use crate::order;
use crate::ownership::Claim;
use crate::plan::Plan;
use crate::spec::{Device, Grain};
use crate::step::Step;

/// Groups, and the devices in each, by name.
pub type Partition = BTreeSet<BTreeSet<String>>;

/// The state of a machine: its core, and the activities in progress.
pub struct World {
    pub(crate) plan: Rc<Plan>,
    pub(crate) core: Core<Handle>,
    platform: BusId,
    pci: BusId,
    linux_pci: SharedPci,
    /// The device in the core, for each device of the scenario that is present.
    pub(crate) present: Vec<Option<DeviceId>>,
    /// The device that was removed last.
    pub(crate) gone: Option<(DeviceId, usize)>,
    /// Activities in progress.
    pub(crate) running: Vec<Activity>,
    /// Claims that were not released, in the order in which they were made.
    pub(crate) owned: Vec<Claim>,
    /// Events that were read from the core, and those of the world itself.
    pub(crate) happened: Vec<String>,
    /// Number of pieces of walks that were done without a choice of another activity.
    pub(crate) idle_pieces: usize,
    /// Whether a step unbinds or removes an IOMMU.
    walks_can_repeat: bool,
}

impl World {
    /// A machine that has booted, on a path. Without boot steps it has no device and no driver.
    #[must_use]
    pub fn new(plan: &Rc<Plan>, path: Path) -> Self {
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
        let running = Vec::new();
        let mut world = Self {
            plan: plan.clone(),
            core,
            platform,
            pci,
            linux_pci,
            present,
            gone: None,
            running,
            owned: Vec::new(),
            happened: Vec::new(),
            idle_pieces: 0,
            walks_can_repeat,
        };
        for step in &plan.scenario.boot {
            // The plan has checked that each is possible once those before it are finished.
            let _ = world.begin(step);
            world.rest();
        }
        world
    }

    /// Takes a step of the scenario as written: unless the scenario is stepwise, all consequences
    /// of the step are completed before the next one.
    ///
    /// # Errors
    ///
    /// The step is not possible now.
    pub fn take(&mut self, step: &Step) -> Result<(), ScenarioError> {
        self.begin(step)?;
        if !self.plan.scenario.stepwise {
            self.rest();
        }
        Ok(())
    }

    /// Takes a step, and leaves its consequences in progress or queued.
    ///
    /// # Errors
    ///
    /// The step is not possible now.
    pub fn begin(&mut self, step: &Step) -> Result<(), ScenarioError> {
        match step {
            Step::Add(name)
            | Step::Remove(name)
            | Step::Unbind(name)
            | Step::Rebind(name)
            | Step::Override(name, _)
            | Step::Type(name, _)
            | Step::Claim(name, _)
            | Step::Release(name)
            | Step::Go(name, _) => {
                let place = self.plan.place(name)?;
                return self.begin_at(step, place);
            }
            Step::Register(name) => {
                let drivers = &self.plan.scenario.drivers;
                let slot = drivers.iter().position(|driver| driver.name == *name);
                let Some(slot) = slot else { return Err(ScenarioError::UnknownDriver(name.clone())) };
                self.core.register_driver(Box::new(self.plan.model(slot)));
            }
            Step::Expire => self.core.expire_deferrals(),
            Step::Rest => self.rest(),
        }
        Ok(())
    }

    fn begin_at(&mut self, step: &Step, place: usize) -> Result<(), ScenarioError> {
        let impossible = |why| Err(ScenarioError::Impossible(step.to_string(), why));
        let Some(id) = self.present[place] else {
            if let Step::Add(_) = step {
                if !self.is_host_bound(place) {
                    return impossible(StepError::HostBridgeNotBound);
                }
                self.add(place);
                return Ok(());
            }
            return impossible(StepError::NotPresent);
        };
        match step {
            Step::Add(_) => return impossible(StepError::AlreadyPresent),
            Step::Go(_, nth) if self.go(id, *nth) => {}
            Step::Go(..) => return impossible(StepError::NothingInProgress),
            _ if self.core.linux().is_busy(id) => return impossible(StepError::Busy),
            Step::Remove(_) => {
                self.core.remove_device(id);
                self.present[place] = None;
                self.gone = Some((id, place));
            }
            Step::Unbind(_) => self.core.unbind(id),
            Step::Rebind(_) => self.core.rebind(id),
            Step::Override(_, driver) => self.core.override_driver(id, driver.as_deref()),
            Step::Type(_, request) => self.change_type(id, place, *request),
            Step::Claim(_, owner) => self.claim(id, place, owner),
            Step::Release(_) => self.release(place),
            Step::Register(_) | Step::Expire | Step::Rest => return impossible(StepError::NoDevice),
        }
        Ok(())
    }

    /// Whether the host bridge of a function is bound, if it is a device of the scenario.
    pub(crate) fn is_host_bound(&self, place: usize) -> bool {
        let devices = &self.plan.scenario.devices;
        let mut hosts = (0..devices.len()).filter(|host| order::is_host_of(&devices[*host], &devices[place]));
        hosts.all(|host| self.present[host].is_some_and(|id| self.core.device(id).driver().is_some()))
    }

    fn add(&mut self, place: usize) {
        let device: &Device = &self.plan.scenario.devices[place];
        let (bus, unit) = match self.plan.addresses[place] {
            Some(at) => {
                let function = self.plan.topology.find(at).expect("the plan has found every function");
                (self.pci, function.into())
            }
            None => (self.platform, Unit(node(place).0)),
        };
        let iommu = device.iommu.as_ref();
        let has_node = iommu.is_none_or(|iommu| !iommu.without_node);
        let new = NewDevice {
            unit,
            name: device.name.clone(),
            node: has_node.then(|| node(place)),
            enabled: iommu.is_none_or(|iommu| !iommu.disabled),
            handle: place,
        };
        let (id, activity) = self.core.begin_add_device(bus, new);
        self.present[place] = Some(id);
        let rest = match self.plan.scenario.grain {
            Grain::Walk => activity.and_then(|activity| self.advance(activity)),
            Grain::Piece => activity,
        };
        self.running.extend(rest);
    }

    /// Does one piece of an activity of a device that is in progress or queued; of the first such
    /// activity if `nth` is 0.
    fn go(&mut self, id: DeviceId, nth: usize) -> bool {
        self.pieces_of(id).get(nth).is_some_and(|choice| self.follow(*choice))
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
            owned: self.owned.iter().map(|claim| claim.forked(&core)).collect(),
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
        self.owned.iter().for_each(|claim| claim.hash(&self.core, state));
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
