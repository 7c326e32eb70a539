//! The user's choice of drivers and of their devices (`drivers=`, `driver_override=`).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Prefix of a driver that is registered after the deferral timeout.
const LATE: &str = "late:";

/// The choice of drivers on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriverChoice {
    /// Drivers that are left out.
    pub(crate) left_out: Vec<String>,
    /// Drivers that are registered after the deferral timeout.
    pub(crate) late: Vec<String>,
    /// Devices, each with the only driver that may bind it.
    pub(crate) overrides: Vec<(String, String)>,
}

/// A choice that cannot be read, or does not fit this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverChoiceError {
    /// An entry of `drivers=`.
    #[error("{0:?}: expected -NAME (left out) or {LATE}NAME (after the timeout)")]
    NotADriver(String),
    /// An entry of `driver_override=`.
    #[error("{0:?}: expected DEVICE:DRIVER")]
    NotAnOverride(String),
    /// No driver has the name.
    #[error("{option}=: no driver is named {name}; expected one of {known}")]
    UnknownDriver {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// The existing names.
        known: String,
    },
    /// No device has the name.
    #[error("driver_override=: no device is named {0}")]
    UnknownDevice(String),
}

impl DriverChoice {
    /// Reads the value of `drivers=`; the error describes what is wrong with it.
    pub(crate) fn read_drivers(&mut self, text: &str) -> Result<(), DriverChoiceError> {
        for entry in text.split(',') {
            let (list, name) = match (entry.strip_prefix('-'), entry.strip_prefix(LATE)) {
                (Some(name), _) => (&mut self.left_out, name),
                (_, Some(name)) => (&mut self.late, name),
                _ => {
                    return Err(DriverChoiceError::NotADriver(entry.to_string()));
                }
            };
            list.push(name.to_string());
        }
        Ok(())
    }

    /// Reads the value of `driver_override=`; the error describes what is wrong with it.
    pub(crate) fn read_overrides(&mut self, text: &str) -> Result<(), DriverChoiceError> {
        for entry in text.split(',') {
            match entry.rsplit_once(':') {
                Some((device, driver)) if !device.is_empty() && !driver.is_empty() => {
                    self.overrides.push((device.to_string(), driver.to_string()));
                }
                _ => return Err(DriverChoiceError::NotAnOverride(entry.to_string())),
            }
        }
        Ok(())
    }
}
