//! Steps that are impossible on any machine: a scenario with such a step is rejected when it is
//! read.
//!
//! A step is checked as if all steps before it were finished, in the order as written; other orders
//! of the same steps follow the same rules ([`World::choices`](crate::World::choices)).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::PciAddress;

use crate::config;
use crate::error::{ScenarioError, StepError};
use crate::spec::{Device, Scenario};
use crate::step::Step;

/// Whether the bridge `bridge` leads to `function`.
pub(crate) fn leads_to(bridge: &Device, function: &Device) -> bool {
    if is_host_of(bridge, function) {
        return true;
    }
    let (Some(at), Some(there)) = (config::address(function), config::address(bridge)) else { return false };
    let is_behind = |(first, last): (u8, u8)| at.segment == there.segment && (first..=last).contains(&at.bus);
    bridge.buses.is_some_and(is_behind)
}

/// Whether `bridge` is the host bridge of `function`.
pub(crate) fn is_host_of(bridge: &Device, function: &Device) -> bool {
    bridge.host_bridge.is_some() && bridge.host_bridge == config::address(function).map(|at| at.segment)
}

/// Whether `first` is function 0 of the slot of `function`, and `function` is another one: without
/// function 0 a scan finds no other function.
pub(crate) fn is_first_of(first: PciAddress, function: PciAddress) -> bool {
    let slot = |at: PciAddress| (at.segment, at.bus, at.devfn.device());
    slot(first) == slot(function) && first.devfn.function() == 0 && function.devfn.function() != 0
}

/// Checks the boot and the steps of a scenario whose names exist.
///
/// # Errors
///
/// The first step that is not possible.
pub(crate) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    let mut machine = Machine { scenario, present: BTreeSet::new(), registered: BTreeSet::new() };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let steps = scenario.boot.iter().map(|step| (true, step));
    for (is_boot, step) in steps.chain(scenario.steps.iter().map(|step| (false, step))) {
        let text = step.to_string();
        let nth = seen.entry(text.clone()).or_default();
        let why = match step {
            Step::Go(..) | Step::Rest if is_boot => Err(StepError::BootStep),
            _ => machine.take(step),
        };
        if let Err(why) = why {
            return Err(ScenarioError::OutOfOrder { step: text, nth: *nth, why });
        }
        *nth += 1;
    }
    Ok(())
}

struct Machine<'s> {
    scenario: &'s Scenario,
    present: BTreeSet<&'s str>,
    registered: BTreeSet<&'s str>,
}

impl<'s> Machine<'s> {
    fn take(&mut self, step: &'s Step) -> Result<(), StepError> {
        match step {
            Step::Add(name) if self.present.contains(&**name) => Err(StepError::AlreadyPresent),
            Step::Add(name) => {
                self.may_add(name)?;
                self.present.insert(name);
                Ok(())
            }
            Step::Remove(name) => {
                self.must_be_there(name)?;
                self.may_remove(name)?;
                self.present.remove(&**name);
                Ok(())
            }
            Step::Unbind(name)
            | Step::Rebind(name)
            | Step::Override(name, _)
            | Step::Type(name, _)
            | Step::Claim(name, _)
            | Step::Release(name) => self.must_be_there(name),
            Step::Register(name) => match self.registered.insert(name) {
                true => Ok(()),
                false => Err(StepError::AlreadyRegistered),
            },
            Step::Go(..) | Step::Rest | Step::Expire => Ok(()),
        }
    }

    fn must_be_there(&self, name: &str) -> Result<(), StepError> {
        if self.present.contains(name) { Ok(()) } else { Err(StepError::NotPresent) }
    }

    fn device(&self, name: &str) -> Option<&'s Device> {
        self.scenario.devices.iter().find(|device| device.name == name)
    }

    fn may_add(&self, name: &str) -> Result<(), StepError> {
        let Some(device) = self.device(name) else { return Ok(()) };
        let is_absent = |other: &&Device| !self.present.contains(&*other.name);
        for other in self.scenario.devices.iter().filter(is_absent) {
            if leads_to(other, device) {
                return Err(StepError::BridgeNotPresent(other.name.clone()));
            }
            let (first, at) = (config::address(other), config::address(device));
            if let (Some(first), Some(at)) = (first, at)
                && is_first_of(first, at)
            {
                return Err(StepError::FunctionZeroNotPresent(other.name.clone()));
            }
        }
        Ok(())
    }

    fn may_remove(&self, name: &str) -> Result<(), StepError> {
        let Some(device) = self.device(name) else { return Ok(()) };
        let is_present = |other: &&Device| self.present.contains(&*other.name);
        let behind: Vec<String> = self
            .scenario
            .devices
            .iter()
            .filter(is_present)
            .filter(|other| leads_to(device, other))
            .map(|other| other.name.clone())
            .collect();
        if behind.is_empty() { Ok(()) } else { Err(StepError::LeadsTo(behind)) }
    }
}
