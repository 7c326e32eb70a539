//! Applies `drivers=` and `driver_override=` of the command line.

use alloc::string::String;
use alloc::vec::Vec;

use probe::Core;

use crate::hardware::Handle;
use crate::input::driver_choice::{DriverChoice, DriverChoiceError};
use crate::probing::BootStep;

/// Leaves drivers out, and sets the only driver of devices before any driver is registered.
///
/// # Errors
///
/// A driver or device does not exist: the machine is not the one that the user expects.
pub(super) fn apply(
    choice: &DriverChoice,
    steps: &mut Vec<BootStep>,
    core: &mut Core<Handle>,
) -> Result<(), DriverChoiceError> {
    if choice.left_out.is_empty() && choice.late.is_empty() && choice.overrides.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = steps.iter().filter(|step| step.is_driver()).map(BootStep::name).collect();
    let is_known = |name: &String| names.contains(&&**name);
    let unknown_driver = |option, name: &String| DriverChoiceError::UnknownDriver {
        option,
        name: name.clone(),
        known: names.join(", "),
    };
    if let Some(unknown) = choice.left_out.iter().chain(&choice.late).find(|name| !is_known(name)) {
        return Err(unknown_driver("drivers", unknown));
    }
    for (device, driver) in &choice.overrides {
        if !steps.iter().any(|step| !step.is_driver() && step.name() == device) {
            return Err(DriverChoiceError::UnknownDevice(device.clone()));
        }
        if !is_known(driver) {
            return Err(unknown_driver("driver_override", driver));
        }
        core.override_driver_of(device.clone(), driver.clone());
    }
    steps.retain(|step| !step.is_driver() || !choice.left_out.iter().any(|name| name == step.name()));
    Ok(())
}
