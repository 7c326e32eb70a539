//! A scenario's machine, running.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
#[cfg(feature = "explore")]
use alloc::vec;
use alloc::vec::Vec;
use core::hash::Hasher;

use addr::PciAddress;
use pci::{PciBus, Topology};
use probe::{
    Activity, BusId, Core, DeviceId, DmaState, Event, InstanceState, NewDevice, Path, Policy, Unit, Verdict,
};

use crate::config;
use crate::error::ScenarioError;
use crate::firmware::{Said, SaidMap, node};
use crate::model::{Handle, Model, Platform};
use crate::spec::{Device, Grain, Map, Scenario};
use crate::step::Step;
use crate::{names, order};

/// Groups, and the devices in each, by name.
pub type Partition = BTreeSet<BTreeSet<String>>;

/// A scenario that makes sense, with what all its runs have in common.
#[derive(Clone)]
pub struct Plan {
    scenario: Rc<Scenario>,
    topology: Topology,
    said: Rc<Said>,
    driver_names: Vec<&'static str>,
    /// For each device, its PCI address if it has one.
    addresses: Vec<Option<PciAddress>>,
    /// Every piece of a walk counts: some step removes a device or takes a driver off, or pieces are written down
    /// one by one, and mean the same whatever else is written down.
    every_piece: bool,
}

impl Plan {
    /// Checks a scenario, and finds its PCI functions as the kernel would.
    ///
    /// The names of its drivers stay in memory for good.
    ///
    /// # Errors
    ///
    /// A name, a kind or a bus in it does not exist.
    pub fn new(scenario: Scenario) -> Result<Self, ScenarioError> {
        names::check(&scenario)?;
        order::check(&scenario)?;
        let topology = config::topology(&scenario)?;
        let said = Rc::new(Said::new(&scenario)?);
        let driver_names =
            scenario.drivers.iter().map(|driver| &*Box::leak(driver.name.clone().into_boxed_str())).collect();
        let addresses: Vec<_> = scenario.devices.iter().map(config::address).collect();
        let every_piece = scenario.stepwise || takes_away(&scenario, &addresses);
        let scenario = Rc::new(scenario);
        Ok(Self { scenario, topology, said, driver_names, addresses, every_piece })
    }

    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    fn place(&self, name: &str) -> Result<usize, ScenarioError> {
        let found = self.scenario.devices.iter().position(|device| device.name == name);
        found.ok_or_else(|| ScenarioError::UnknownDevice(name.into()))
    }

    /// Whether PCI functions lead one to the other: the bridge above, or function 0 of the same slot.
    fn depends_on(&self, device: usize, other: usize) -> bool {
        let devices = &self.scenario.devices;
        let is_first = match (self.addresses[device], self.addresses[other]) {
            (Some(at), Some(there)) => order::is_first_of(there, at),
            _ => false,
        };
        is_first || order::leads_to(&devices[other], &devices[device])
    }
}

/// Whether a group can be lost: a step removes a device or takes a driver off, an IOMMU can fail while it
/// registers, or an IOMMU may be behind another one.
fn takes_away(scenario: &Scenario, addresses: &[Option<PciAddress>]) -> bool {
    let is_behind = |(place, device): (usize, &Device)| {
        let in_map = addresses[place].is_some_and(|at| {
            let covers = |map: &Map| (map.ids.0..=map.ids.1).contains(&at.requester_id().0);
            scenario.maps.iter().any(|map| map.segment == at.segment && covers(map))
        });
        device
            .iommu
            .as_ref()
            .is_some_and(|iommu| !iommu.unknown.is_empty() || !device.iommus.is_empty() || in_map)
    };
    scenario.steps.iter().any(|step| matches!(step, Step::Remove(_) | Step::Unbind(_)))
        || scenario.devices.iter().enumerate().any(is_behind)
}

/// A machine at one moment: its core, and what is under way.
pub struct World {
    plan: Rc<Plan>,
    core: Core<Handle>,
    platform: BusId,
    pci: BusId,
    /// The device in the core, for each device of the scenario that is there.
    present: Vec<Option<DeviceId>>,
    /// The device that was removed last.
    gone: Option<(DeviceId, usize)>,
    /// What has been begun.
    running: Vec<Activity>,
    /// Pieces of walks that were done without asking whether something else comes first.
    idle_pieces: usize,
    /// A step takes an IOMMU's driver off, or the IOMMU out.
    walks_can_repeat: bool,
}

/// One way in which a world can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The step at this place of the scenario.
    Step(usize),
    /// One piece of what is under way, at this place.
    Go(usize),
    /// The first piece of what is queued, at this place.
    Begin(usize),
}

impl World {
    /// A machine that has booted, on a path. Without boot steps it has no device and no driver.
    #[must_use]
    pub fn new(plan: &Rc<Plan>, path: Path) -> Self {
        let mut core = Core::new(path, Policy::default(), Box::new(SaidMap(plan.said.clone())));
        let platform = core.add_bus(Box::new(Platform));
        let bridges =
            config::segments(&plan.topology).map(|segment| plan.said.host_bridge(segment)).collect();
        let topology = plan.topology.clone();
        let bus = if path == Path::Fixed {
            PciBus::new(topology.fully_isolating(), bridges)
        } else {
            PciBus::isolated_later(topology, bridges, Rc::new(Topology::isolate))
        };
        let pci = core.add_bus(Box::new(bus));
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
            present,
            gone: None,
            running,
            idle_pieces: 0,
            walks_can_repeat,
        };
        for step in &plan.scenario.boot {
            // The plan has seen that each is possible once those before it are over.
            let _ = world.begin(step);
            world.rest();
        }
        world
    }

    /// Takes a step of the scenario as it is written: unless it is stepwise, all that follows from the step
    /// happens before the next one.
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

    /// Takes a step, and leaves all that follows from it under way or queued.
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
            | Step::Go(name, _) => {
                let place = self.plan.place(name)?;
                return self.begin_at(step, place);
            }
            Step::Register(name) => {
                let drivers = &self.plan.scenario.drivers;
                let slot = drivers.iter().position(|driver| driver.name == *name);
                let Some(slot) = slot else { return Err(ScenarioError::UnknownDriver(name.clone())) };
                let name = self.plan.driver_names[slot];
                self.core.register_driver(Box::new(Model::new(&self.plan.scenario, slot, name)));
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
                    return impossible("its host bridge is not bound");
                }
                self.add(place);
                return Ok(());
            }
            return impossible("the device is not there");
        };
        match step {
            Step::Add(_) => return impossible("it is there already"),
            Step::Go(_, nth) if self.go(id, *nth) => {}
            Step::Go(..) => return impossible("nothing is under way or queued for it"),
            _ if self.core.device(id).is_busy() => {
                return impossible("the device is being added or bound");
            }
            Step::Remove(_) => {
                self.core.remove_device(id);
                self.present[place] = None;
                self.gone = Some((id, place));
            }
            Step::Unbind(_) => self.core.unbind(id),
            Step::Rebind(_) => self.core.rebind(id),
            Step::Override(_, driver) => self.core.override_driver(id, driver.as_deref()),
            Step::Register(_) | Step::Expire | Step::Rest => return impossible("it is about no device"),
        }
        Ok(())
    }

    /// Whether the host bridge of a function is bound, if it is a device of the scenario.
    fn is_host_bound(&self, place: usize) -> bool {
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

    /// One piece of what is under way or queued for a device; of the first such thing if `nth` is 0.
    fn go(&mut self, id: DeviceId, nth: usize) -> bool {
        self.pieces_of(id).get(nth).is_some_and(|choice| self.follow(*choice))
    }

    /// Ways to go on with a device: with what has begun, then with what is queued.
    fn pieces_of(&self, id: DeviceId) -> Vec<Choice> {
        let is_its = |(place, device): (usize, Option<DeviceId>)| (device == Some(id)).then_some(place);
        let running = self.running.iter().map(|activity| activity.device(&self.core)).enumerate();
        let queued = self.core.queued().enumerate();
        running
            .filter_map(is_its)
            .map(Choice::Go)
            .chain(queued.filter_map(is_its).map(Choice::Begin))
            .collect()
    }

    /// The way to go on that a `go` means now.
    #[must_use]
    pub fn meant(&self, step: &Step) -> Option<Choice> {
        let Step::Go(name, nth) = step else { return None };
        let id = self.present[self.plan.place(name).ok()?]?;
        self.pieces_of(id).get(*nth).copied()
    }

    /// Goes on in one of the ways that [`choices`](Self::choices) gave; false if it is not one.
    pub fn follow(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Step(place) => match self.plan.clone().scenario.steps.get(place) {
                Some(step) => self.begin(step).is_ok(),
                None => false,
            },
            Choice::Go(place) if place < self.running.len() => {
                let activity = self.running.remove(place);
                if let Some(rest) = self.advance(activity) {
                    self.running.insert(place, rest);
                }
                true
            }
            Choice::Begin(place) => match self.core.take_at(place) {
                Some(activity) => {
                    let rest = self.advance(activity);
                    self.running.extend(rest);
                    true
                }
                None => false,
            },
            Choice::Go(_) => false,
        }
    }

    /// Takes what the last step has begun, for a caller that goes on with it by [`advance`](Self::advance).
    pub fn take_begun(&mut self) -> Option<Activity> {
        self.running.pop()
    }

    /// Takes, likewise, the activity that has been queued longest of those about IOMMUs, or of all others.
    pub fn take_queued(&mut self, about_iommus: bool) -> Option<Activity> {
        let is_iommu = |id: Option<DeviceId>| {
            let place = self.present.iter().position(|present| present.is_some() && *present == id);
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

    /// Whether nothing can come in before the next piece, or nothing that does would make a difference.
    fn goes_on(&self, rest: &Activity) -> bool {
        self.plan.scenario.grain == Grain::Walk
            && (!rest.is_walk() || !self.plan.every_piece && self.core.next_is_idle(rest))
    }

    /// Every way to go on, if the steps that are `done` have been taken, with `cpus` CPUs.
    ///
    /// Steps about one device, or one driver, stay in their order; a PCI function comes after the bridge
    /// that leads to it and after function 0 of its slot, and goes before them. What has begun occupies a CPU.
    pub fn choices(&self, done: &[bool], cpus: usize) -> Vec<Choice> {
        let mut choices: Vec<Choice> = (0..self.running.len()).map(Choice::Go).collect();
        let is_free = self.running.len() < cpus;
        if is_free {
            choices.extend((0..self.core.queued().count()).map(Choice::Begin));
        }
        let steps = &self.plan.scenario.steps;
        for (place, step) in steps.iter().enumerate().filter(|(place, _)| !done[*place]) {
            let same = |other: &Step| match (step, other) {
                (Step::Register(a), Step::Register(b)) => a == b,
                _ => step.device().is_some() && step.device() == other.device(),
            };
            let comes_first = steps[..place].iter().zip(done).any(|(other, done)| !done && same(other));
            if !comes_first && self.is_possible(step, is_free) {
                choices.push(Choice::Step(place));
            }
        }
        choices
    }

    fn is_possible(&self, step: &Step, cpu_is_free: bool) -> bool {
        let place = step.device().and_then(|name| self.plan.place(name).ok());
        let others =
            || self.present.iter().enumerate().filter(|(_, id)| id.is_some()).map(|(other, _)| other);
        match (step, place) {
            (Step::Go(..) | Step::Rest, _) => false,
            (Step::Register(_) | Step::Expire, _) => true,
            (Step::Add(_), Some(place)) => {
                let needed = (0..self.present.len()).filter(|other| self.plan.depends_on(place, *other));
                cpu_is_free
                    && self.present[place].is_none()
                    && self.is_host_bound(place)
                    && needed.into_iter().all(|other| self.present[other].is_some())
            }
            (_, Some(place)) => {
                let free = self.present[place].is_some_and(|id| !self.core.device(id).is_busy());
                let is_needed = || others().any(|other| self.plan.depends_on(other, place));
                free && !(matches!(step, Step::Remove(_)) && is_needed())
            }
            (_, None) => false,
        }
    }

    /// The step that says what a choice does, so that a `stepwise` scenario can do the same.
    #[must_use]
    pub fn as_step(&self, choice: Choice) -> Option<Step> {
        let go = |id: Option<DeviceId>| {
            let nth = self.pieces_of(id?).iter().position(|other| *other == choice)?;
            Some(Step::Go(self.core.device(id?).name().to_string(), nth))
        };
        match choice {
            Choice::Step(place) => self.plan.scenario.steps.get(place).cloned(),
            Choice::Go(place) => go(self.running.get(place)?.device(&self.core)),
            Choice::Begin(place) => go(self.core.queued().nth(place)?),
        }
    }

    /// Goes on in one of the ways that [`choices`](Self::choices) gave, and says it as steps, piece by piece.
    #[cfg(feature = "explore")]
    pub(crate) fn follow_in_steps(&mut self, choice: Choice) -> Vec<Step> {
        let mut steps: Vec<Step> = self.as_step(choice).into_iter().collect();
        let device = steps.first().and_then(Step::device).and_then(|name| self.plan.place(name).ok());
        let begun = device.and_then(|place| self.present[place]).map_or(0, |id| {
            self.running.iter().filter(|activity| activity.device(&self.core) == Some(id)).count()
        });
        let before = self.idle_pieces;
        self.follow(choice);
        let again = match (&steps[..], choice) {
            // What was queued is the last of what has begun.
            ([Step::Go(name, _)], Choice::Begin(_)) => Some(Step::Go(name.clone(), begun)),
            ([step @ Step::Go(..)], Choice::Go(_)) => Some(step.clone()),
            _ => None,
        };
        steps.extend(again.into_iter().flat_map(|step| vec![step; self.idle_pieces - before]));
        steps
    }

    /// What the next piece of a choice does, for people.
    #[must_use]
    pub fn describe(&self, choice: Choice) -> &'static str {
        match choice {
            Choice::Step(_) => "step",
            Choice::Go(place) => self.running.get(place).map_or("nothing", Activity::next_piece),
            Choice::Begin(_) => "begin what is queued",
        }
    }

    /// Does everything that is under way or queued, one thing after the other, and checks the invariants.
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

    /// Whether nothing is under way and nothing is queued.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.running.is_empty() && self.core.queued().next().is_none()
    }

    /// An independent copy.
    ///
    /// # Panics
    ///
    /// Never: everything in a scenario's machine can be copied.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            core: self.core.fork().expect("models can be copied"),
            platform: self.platform,
            pci: self.pci,
            present: self.present.clone(),
            gone: self.gone,
            running: self.running.clone(),
            idle_pieces: self.idle_pieces,
            walks_can_repeat: self.walks_can_repeat,
        }
    }

    /// Hashes all that what happens next depends on.
    pub fn hash_state(&self, state: &mut impl Hasher) {
        self.core.hash_state(&self.running, self.may_walk(), state);
    }

    /// Whether an IOMMU walks the buses, or may do so later.
    fn may_walk(&self) -> bool {
        let is_over = |device: &Device| {
            self.core.instances().any(|instance| {
                self.core.device(instance.device()).name() == device.name
                    && instance.state() != InstanceState::Published
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

    /// Invariants, each with what broke it first.
    #[must_use]
    pub fn invariants(&self) -> [Verdict; 11] {
        self.core.invariants()
    }

    /// Whether an invariant is broken.
    #[must_use]
    pub fn breaks_something(&self) -> bool {
        self.core.breaks_something()
    }

    /// The core, for whoever wants to know more.
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
    }

    /// Takes what has happened since the last call: a word and, mostly, a device.
    pub fn take_events(&mut self) -> Vec<String> {
        let events = self.core.take_events();
        events.iter().filter_map(|event| self.word(event)).collect()
    }

    fn word(&self, event: &Event) -> Option<String> {
        let instance = |id| Some(self.core.instances().find(|instance| instance.id() == id)?.device());
        let (word, device) = match event {
            Event::DeviceAdded(device) => ("added", Some(*device)),
            Event::DeviceRemoved(device) => ("removed", Some(*device)),
            Event::Untranslated { device, .. } => ("untranslated", Some(*device)),
            Event::Waiting { device, .. } => ("waiting", Some(*device)),
            Event::Refused { device, .. } => ("refused", Some(*device)),
            Event::Joined { device, .. } => ("grouped", Some(*device)),
            Event::Left { device, .. } => ("left", Some(*device)),
            Event::Published(id) => ("published", instance(*id)),
            Event::Ready(id) => ("ready", instance(*id)),
            Event::Unpublished(_) => return Some("unpublished".into()),
            Event::Late(device) => ("late", Some(*device)),
            Event::RegistrationFailed { instance: id, .. } => ("registration-failed", instance(*id)),
            Event::Oops { device, .. } => ("oops", Some(*device)),
            Event::Bound { device, .. } => ("bound", Some(*device)),
            Event::Unbound { device, .. } => ("unbound", Some(*device)),
            Event::BindFailed { device, .. } => ("bind-failed", Some(*device)),
            Event::Declined { device, .. } => ("declined", Some(*device)),
            Event::Deferred { device, .. } => ("deferred", Some(*device)),
            Event::DependencyIgnored { device, .. } => ("gave-up-waiting", Some(*device)),
            Event::Merged { .. }
            | Event::Split { .. }
            | Event::DefaultDomain { .. }
            | Event::DomainFallback { .. } => return None,
        };
        let name = device.and_then(|device| {
            let is_it = |id: &Option<DeviceId>| *id == Some(device);
            let gone = self.gone.filter(|(id, _)| *id == device).map(|(_, place)| place);
            let place = self.present.iter().position(is_it).or(gone)?;
            Some(&*self.plan.scenario.devices[place].name)
        });
        let name = name.unwrap_or("a device that is gone");
        Some(format!("{word} {name}"))
    }
}
