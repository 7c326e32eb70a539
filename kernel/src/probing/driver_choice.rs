//! Drivers that the command line leaves out, and devices that it gives their only driver.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::Core;

use crate::hardware::Handle;
use crate::input::driver_choice::DriverChoice;
use crate::probing::Step;

/// Leaves drivers out, and gives devices their only driver before there is one.
///
/// # Errors
///
/// There is no such driver, or no such device: the machine is not the one that the user expects.
pub(super) fn apply(
    choice: &DriverChoice,
    steps: &mut Vec<Step>,
    core: &mut Core<Handle>,
) -> Result<(), String> {
    let names: Vec<&str> = steps.iter().filter(|step| step.is_driver()).map(Step::name).collect();
    let is_known = |name: &String| names.contains(&&**name);
    if let Some(unknown) = choice.left_out.iter().chain(&choice.late).find(|name| !is_known(name)) {
        return Err(format!("drivers=: there is no driver {unknown}; there are {}", names.join(", ")));
    }
    for (device, driver) in &choice.overrides {
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
    steps.retain(|step| !step.is_driver() || !choice.left_out.iter().any(|name| name == step.name()));
    Ok(())
}
