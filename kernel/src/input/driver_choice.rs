//! Which drivers there are, and for which devices, where the user wants it otherwise (`drivers=`, `driver_override=`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Before the name of a driver that comes after the deferral timeout.
const LATE: &str = "late:";

/// What the command line says about drivers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriverChoice {
    /// Drivers that are left out.
    pub(crate) left_out: Vec<String>,
    /// Drivers that come after the deferral timeout.
    pub(crate) late: Vec<String>,
    /// Devices, each with the only driver that is for it.
    pub(crate) overrides: Vec<(String, String)>,
}

impl DriverChoice {
    /// Reads the value of `drivers=`; the error says what is wrong with it.
    pub(crate) fn read_drivers(&mut self, text: &str) -> Result<(), String> {
        for entry in text.split(',') {
            let (list, name) = match (entry.strip_prefix('-'), entry.strip_prefix(LATE)) {
                (Some(name), _) => (&mut self.left_out, name),
                (_, Some(name)) => (&mut self.late, name),
                _ => {
                    return Err(format!(
                        "{entry:?}: expected -NAME (left out) or {LATE}NAME (after the timeout)"
                    ));
                }
            };
            list.push(name.to_string());
        }
        Ok(())
    }

    /// Reads the value of `driver_override=`; the error says what is wrong with it.
    pub(crate) fn read_overrides(&mut self, text: &str) -> Result<(), String> {
        for entry in text.split(',') {
            match entry.rsplit_once(':') {
                Some((device, driver)) if !device.is_empty() && !driver.is_empty() => {
                    self.overrides.push((device.to_string(), driver.to_string()));
                }
                _ => return Err(format!("{entry:?}: expected DEVICE:DRIVER")),
            }
        }
        Ok(())
    }
}
