//! What is wrong with a scenario.

use alloc::string::String;
use core::fmt;

/// An invalid scenario, with the name of the invalid part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioError {
    /// An unknown or malformed step.
    UnknownStep(String),
    /// A name that is not that of a device.
    UnknownDevice(String),
    /// A name that is not that of a driver.
    UnknownDriver(String),
    /// A name that two devices have.
    RepeatedDevice(String),
    /// A name that looks like a PCI address but is malformed.
    NotAnAddress(String),
    /// An expectation of a path that does not exist.
    UnknownPath(String),
    /// An invariant that does not exist.
    UnknownInvariant(String),
    /// An event that does not exist.
    UnknownEvent(String),
    /// A device that is referred to as an IOMMU but is not one.
    NotAnIommu(String),
    /// A kind of PCI function that does not exist.
    UnknownKind(String),
    /// The buses do not lead to this function: a bridge is missing, or is not a bridge.
    Unreachable(String),
    /// A name that two drivers have.
    RepeatedDriver(String),
    /// A device that is invalid as written, and why.
    Malformed(String, &'static str),
    /// A step that is impossible on any machine after the steps before it.
    OutOfOrder {
        /// As it is written.
        step: String,
        /// The number of earlier steps with the same text.
        nth: usize,
        /// Why not.
        why: String,
    },
    /// A step that cannot be taken now, and why.
    Impossible(String, &'static str),
}

impl ScenarioError {
    /// The invalid part of the scenario, as written.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Self::UnknownStep(text)
            | Self::UnknownDevice(text)
            | Self::UnknownDriver(text)
            | Self::RepeatedDevice(text)
            | Self::NotAnAddress(text)
            | Self::UnknownPath(text)
            | Self::UnknownInvariant(text)
            | Self::UnknownEvent(text)
            | Self::NotAnIommu(text)
            | Self::UnknownKind(text)
            | Self::Unreachable(text)
            | Self::RepeatedDriver(text)
            | Self::Malformed(text, _)
            | Self::OutOfOrder { step: text, .. }
            | Self::Impossible(text, _) => text,
        }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownStep(text) => write!(f, "`{text}` is not a step"),
            Self::UnknownDevice(name) => write!(f, "unknown device `{name}`"),
            Self::UnknownDriver(name) => write!(f, "unknown driver `{name}`"),
            Self::RepeatedDevice(name) => write!(f, "device `{name}` is defined twice"),
            Self::NotAnAddress(name) => write!(f, "`{name}` is not a PCI address like `0000:01:00.0`"),
            Self::UnknownPath(word) => write!(f, "unknown path `{word}`"),
            Self::UnknownInvariant(id) => write!(f, "unknown invariant `{id}`"),
            Self::UnknownEvent(event) => write!(f, "unknown event `{event}`"),
            Self::NotAnIommu(name) => write!(f, "`{name}` is referred to as an IOMMU but is not one"),
            Self::UnknownKind(kind) => write!(f, "`{kind}` is not a kind of PCI function"),
            Self::Unreachable(name) => write!(f, "`{name}` is not behind any bridge"),
            Self::RepeatedDriver(name) => write!(f, "driver `{name}` is defined twice"),
            Self::Malformed(name, why) => write!(f, "`{name}` is not possible: {why}"),
            Self::OutOfOrder { step, why, .. } => write!(f, "`{step}` is not possible: {why}"),
            Self::Impossible(step, why) => write!(f, "`{step}` is not possible: {why}"),
        }
    }
}

impl core::error::Error for ScenarioError {}
