//! Which drivers there are, and for which devices, where the user wants it otherwise (`drivers=`, `driver_override=`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use probe::Core;

use crate::hardware::Handle;
use crate::probing::order::Step;

/// Before the name of a driver that comes after the deferral timeout.
const LATE: &str = "late:";

/// What the command line says about drivers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DriverChoice {
    /// Drivers that are left out.
    left_out: Vec<String>,
    /// Drivers that come after the deferral timeout.
    pub(crate) late: Vec<String>,
    /// Devices, each with the only driver that is for it.
    overrides: Vec<(String, String)>,
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

    /// Leaves drivers out, and gives devices their only driver before there is one.
    ///
    /// # Errors
    ///
    /// There is no such driver, or no such device: the machine is another one than the user thinks.
    pub(crate) fn apply(&self, steps: &mut Vec<Step>, core: &mut Core<Handle>) -> Result<(), String> {
        let names: Vec<&str> = steps.iter().filter(|step| step.is_driver()).map(Step::name).collect();
        let is_known = |name: &String| names.contains(&&**name);
        if let Some(unknown) = self.left_out.iter().chain(&self.late).find(|name| !is_known(name)) {
            return Err(format!("drivers=: there is no driver {unknown}; there are {}", names.join(", ")));
        }
        for (device, driver) in &self.overrides {
            if !steps.iter().any(|step| !step.is_driver() && step.name() == device) {
                return Err(format!("driver_override=: there is no device {device}"));
            }
            if !is_known(driver) {
                return Err(format!(
                    "driver_override=: there is no driver {driver}; there are {}",
                    names.join(", ")
                ));
            }
            core.override_driver_of(device.clone(), driver.clone());
        }
        steps.retain(|step| !step.is_driver() || !self.left_out.iter().any(|name| name == step.name()));
        Ok(())
    }
}
