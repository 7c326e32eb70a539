//! What is wrong with a scenario.

use alloc::string::String;
use alloc::vec::Vec;
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
    Malformed(String, DeviceError),
    /// A step that is impossible on any machine after the steps before it.
    OutOfOrder {
        /// As it is written.
        step: String,
        /// The number of earlier steps with the same text.
        nth: usize,
        /// Why not.
        why: StepError,
    },
    /// A step that cannot be taken now, and why.
    Impossible(String, StepError),
}

/// Why a device is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError {
    /// The buses behind it are not above its own, or in the wrong order.
    BusOrder,
    /// It has buses behind it and is neither a bridge nor a port.
    NotABridge,
    /// It is a port without a bus behind it.
    PortWithoutBus,
}

/// Why a step is impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepError {
    /// A boot step that would divide the work of other steps.
    BootStep,
    /// The device is already present.
    AlreadyPresent,
    /// The device is not present.
    NotPresent,
    /// The driver is already registered.
    AlreadyRegistered,
    /// The bridge above the device, with this name, is not present.
    BridgeNotPresent(String),
    /// Function 0 of the device's slot, with this name, is not present.
    FunctionZeroNotPresent(String),
    /// The device leads to these devices, which are present.
    LeadsTo(Vec<String>),
    /// The host bridge of the device is not bound.
    HostBridgeNotBound,
    /// There is no activity of the device that could continue.
    NothingInProgress,
    /// The device is being added or bound.
    Busy,
    /// The step is about a driver or about the whole machine.
    NoDevice,
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

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BusOrder => "the buses behind it must come after its own, the lowest one first",
            Self::NotABridge => "only a bridge or a port has buses behind it",
            Self::PortWithoutBus => "a port has at least one bus behind it",
        })
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootStep => f.write_str("boot steps always run to completion"),
            Self::AlreadyPresent => f.write_str("the device is already present"),
            Self::NotPresent => f.write_str("the device is not present"),
            Self::AlreadyRegistered => f.write_str("the driver is already registered"),
            Self::BridgeNotPresent(name) => write!(f, "{name}, the bridge above it, is not present"),
            Self::FunctionZeroNotPresent(name) => {
                write!(f, "{name}, function 0 of its slot, is not present")
            }
            Self::LeadsTo(names) => write!(f, "{} must be removed before it", names.join(", ")),
            Self::HostBridgeNotBound => f.write_str("the host bridge is not bound"),
            Self::NothingInProgress => f.write_str("nothing is in progress or queued for it"),
            Self::Busy => f.write_str("the device is being added or bound"),
            Self::NoDevice => f.write_str("the step has no device"),
        }
    }
}

impl core::error::Error for ScenarioError {}
