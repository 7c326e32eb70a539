//! Takes the steps of a scenario.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;

use probe::{DeviceId, NewDevice, Path, Unit};

use crate::error::{ScenarioError, StepError};
use crate::firmware::node;
use crate::order;
use crate::ownership;
use crate::plan::Plan;
use crate::spec::{Device, Grain};
use crate::step::Step;
use crate::world::World;

impl World {
    /// A machine that has booted, on a path. Without boot steps it has no device and no driver.
    #[must_use]
    pub fn new(plan: &Rc<Plan>, path: Path) -> Self {
        let mut world = Self::bare(plan, path);
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
            Step::Type(_, request) => {
                let word = ownership::change_type(&mut self.core, id, *request);
                self.note(word, place);
            }
            Step::Claim(_, owner) => {
                let word = self.claims.claim(&mut self.core, id, place, owner);
                self.note(word, place);
            }
            Step::Release(_) => {
                let word = self.claims.release(&mut self.core, place);
                self.note(word, place);
            }
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
        self.pieces_of(id).get(nth).is_some_and(|piece| self.go_on(*piece))
    }
}
