//! Names in a scenario, which must exist.

use alloc::format;
use alloc::string::{String, ToString};

use probe::Path;

use crate::config;
use crate::error::ScenarioError;
use crate::spec::{Expect, Scenario};
use crate::step::Step;

/// Words of events, as in [`World::take_events`](crate::World::take_events).
pub(crate) const EVENTS: [&str; 26] = [
    "added",
    "removed",
    "untranslated",
    "waiting",
    "refused",
    "grouped",
    "left",
    "published",
    "ready",
    "unpublished",
    "late",
    "registration-failed",
    "oops",
    "bound",
    "unbound",
    "bind-failed",
    "declined",
    "deferred",
    "gave-up-waiting",
    "claimed",
    "claim-refused",
    "released",
    "release-failed",
    "nothing-to-release",
    "type-changed",
    "type-refused",
];

/// The event of a removed IOMMU.
const ALONE: &str = "unpublished";

/// Checks every name in a scenario. IOMMUs of devices are checked where firmware is read.
///
/// # Errors
///
/// The first one that does not exist, or that two devices have.
pub(crate) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    for (place, device) in scenario.devices.iter().enumerate() {
        if scenario.devices[..place].iter().any(|other| other.name == device.name) {
            return Err(ScenarioError::RepeatedDevice(device.name.clone()));
        }
        if device.name.contains(':') && config::address(device).is_none() {
            return Err(ScenarioError::NotAnAddress(device.name.clone()));
        }
        if let Some(driver) = &device.driver {
            has_driver(scenario, driver)?;
        }
    }
    for (place, driver) in scenario.drivers.iter().enumerate() {
        if scenario.drivers[..place].iter().any(|other| other.name == driver.name) {
            return Err(ScenarioError::RepeatedDriver(driver.name.clone()));
        }
    }
    for step in scenario.boot.iter().chain(&scenario.steps) {
        if let Some(name) = step.device() {
            has_device(scenario, name)?;
        }
        if let Step::Register(name) | Step::Override(_, Some(name)) = step {
            has_driver(scenario, name)?;
        }
    }
    for (path, expect) in &scenario.expect {
        if Path::from_word(path).is_none() {
            return Err(ScenarioError::UnknownPath(path.clone()));
        }
        check_expected(scenario, expect)?;
    }
    Ok(())
}

fn check_expected(scenario: &Scenario, expect: &Expect) -> Result<(), ScenarioError> {
    let grouped = expect.groups.iter().flatten().flatten();
    for name in grouped.chain(expect.without.keys()).chain(expect.types.keys()) {
        has_device(scenario, name)?;
    }
    for id in expect.breaks.iter().chain(&expect.some_order_breaks).flatten() {
        if !(1..=11).any(|number| *id == format!("I{number}")) {
            return Err(ScenarioError::UnknownInvariant(id.clone()));
        }
    }
    for event in expect.events.iter().chain(&expect.no_events).flatten() {
        let (word, name) = event.split_once(' ').unwrap_or((event, ""));
        if !EVENTS.contains(&word) {
            return Err(ScenarioError::UnknownEvent(event.clone()));
        }
        if word != ALONE {
            has_device(scenario, name)?;
        }
    }
    Ok(())
}

fn has_device(scenario: &Scenario, name: &str) -> Result<(), ScenarioError> {
    match scenario.devices.iter().any(|device| device.name == name) {
        true => Ok(()),
        false => Err(ScenarioError::UnknownDevice(name.to_string())),
    }
}

fn has_driver(scenario: &Scenario, name: &String) -> Result<(), ScenarioError> {
    match scenario.drivers.iter().any(|driver| driver.name == *name) {
        true => Ok(()),
        false => Err(ScenarioError::UnknownDriver(name.clone())),
    }
}
