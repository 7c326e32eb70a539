//! The steps of a scenario.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use probe::TypeRequest;
use serde::{Deserialize, Serialize};

use crate::error::ScenarioError;

/// One step, written as a verb and, mostly, a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Step {
    /// `add DEVICE`: the device appears on its bus.
    Add(String),
    /// `remove DEVICE`: it is unplugged.
    Remove(String),
    /// `register DRIVER`: a driver is loaded.
    Register(String),
    /// `unbind DEVICE`: its driver is unbound.
    Unbind(String),
    /// `rebind DEVICE`: a driver is offered the device again.
    Rebind(String),
    /// `override DEVICE DRIVER`: from now on, only the driver with this name matches the device
    /// (Linux: `driver_override`); `override DEVICE` removes the override.
    Override(String, Option<String>),
    /// `type DEVICE WORD`: the type of the default domain of its group is changed, if that is allowed now (Linux: a
    /// write to the group's `type` file).
    Type(String, TypeRequest),
    /// `claim DEVICE OWNER`: the owner claims the DMA of its group, if that is allowed now (Linux: VFIO, iommufd).
    Claim(String, String),
    /// `release DEVICE`: the claim that was made last through this device is released, if there is one.
    Release(String),
    /// `expire`: devices stop waiting for dependencies (Linux: the deferral timeout).
    Expire,
    /// `go DEVICE`: one piece of an activity of the device that is in progress or queued: its
    /// arrival, a bind, or the walk of an IOMMU. `go DEVICE #2`: one piece of the second such
    /// activity; activities in progress are counted first.
    Go(String, usize),
    /// `rest`: all activities that are in progress or queued are completed one after the other.
    Rest,
}

impl Step {
    /// The device of the step.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Add(name)
            | Self::Remove(name)
            | Self::Unbind(name)
            | Self::Rebind(name)
            | Self::Override(name, _)
            | Self::Type(name, _)
            | Self::Claim(name, _)
            | Self::Release(name)
            | Self::Go(name, _) => Some(name),
            Self::Register(_) | Self::Expire | Self::Rest => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(name) => write!(f, "add {name}"),
            Self::Remove(name) => write!(f, "remove {name}"),
            Self::Register(name) => write!(f, "register {name}"),
            Self::Unbind(name) => write!(f, "unbind {name}"),
            Self::Rebind(name) => write!(f, "rebind {name}"),
            Self::Override(name, None) => write!(f, "override {name}"),
            Self::Override(name, Some(driver)) => write!(f, "override {name} {driver}"),
            Self::Type(name, request) => write!(f, "type {name} {}", request.word()),
            Self::Claim(name, owner) => write!(f, "claim {name} {owner}"),
            Self::Release(name) => write!(f, "release {name}"),
            Self::Expire => f.write_str("expire"),
            Self::Go(name, 0) => write!(f, "go {name}"),
            Self::Go(name, nth) => write!(f, "go {name} #{}", nth + 1),
            Self::Rest => f.write_str("rest"),
        }
    }
}

impl FromStr for Step {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (verb, name) =
            text.split_once(' ').map_or((text, None), |(verb, name)| (verb, Some(name.trim())));
        let name = name.map(ToString::to_string);
        Ok(match (verb, name) {
            ("add", Some(name)) => Self::Add(name),
            ("remove", Some(name)) => Self::Remove(name),
            ("register", Some(name)) => Self::Register(name),
            ("unbind", Some(name)) => Self::Unbind(name),
            ("rebind", Some(name)) => Self::Rebind(name),
            ("go", Some(name)) => match name.split_once(" #") {
                None => Self::Go(name, 0),
                Some((name, number)) => match number.parse() {
                    Ok(number @ 1..) => Self::Go(name.to_string(), number - 1usize),
                    _ => return Err(ScenarioError::UnknownStep(text.to_string())),
                },
            },
            ("override", Some(name)) => match name.split_once(' ') {
                None => Self::Override(name, None),
                Some((device, driver)) => Self::Override(device.to_string(), Some(driver.trim().to_string())),
            },
            ("type", Some(name)) => match name.split_once(' ') {
                Some((device, word)) if TypeRequest::from_word(word.trim()).is_some() => Self::Type(
                    device.to_string(),
                    TypeRequest::from_word(word.trim()).unwrap_or(TypeRequest::Auto),
                ),
                _ => return Err(ScenarioError::UnknownStep(text.to_string())),
            },
            ("claim", Some(name)) => match name.split_once(' ') {
                Some((device, owner)) => Self::Claim(device.to_string(), owner.trim().to_string()),
                None => return Err(ScenarioError::UnknownStep(text.to_string())),
            },
            ("release", Some(name)) => Self::Release(name),
            ("expire", None) => Self::Expire,
            ("rest", None) => Self::Rest,
            _ => return Err(ScenarioError::UnknownStep(text.to_string())),
        })
    }
}

impl TryFrom<String> for Step {
    type Error = ScenarioError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        step.to_string()
    }
}
