//! What the expectation, or Linux, has about a device apart from its group: identity, driver, ACS.

use report::{Device, Report};

use super::warnings::gave_up_on;
use super::words::number;
use crate::answer::{Function, LinuxAnswer, NO_DRIVER};
use crate::expect::Expect;

/// Our driver of an IOMMU.
const IOMMU_DRIVER: &str = "virtio-iommu";

/// Compares drivers and ACS with those that the expectation names, and each PCI function with Linux's.
pub(super) fn differences(report: &Report, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let of_linux = linux.map(|answer| functions(report, answer)).unwrap_or_default();
    [drivers(report, expect), acs_controls(report, expect), of_linux].concat()
}

/// Drivers that the topology names.
fn drivers(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in &expect.drivers {
        let device = report.devices.iter().find(|device| device.name == *name);
        let is = device.map(|device| device.driver.as_deref().unwrap_or(NO_DRIVER));
        if is != Some(wanted) {
            found.push(format!(
                "driver of {name}: expected {wanted}, is {}",
                is.unwrap_or("that of no device")
            ));
        }
    }
    found
}

/// ACS control registers that the topology names.
fn acs_controls(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in &expect.acs {
        let device = report.devices.iter().find(|device| device.name == *name);
        let is = device.and_then(|device| device.acs.as_ref()).map(|acs| &*acs.control);
        if is != Some(wanted) {
            found.push(format!("ACS control of {name}: expected {wanted}, is {}", is.unwrap_or("absent")));
        }
    }
    found
}

/// What Linux says of each PCI function, apart from its group.
fn functions(report: &Report, answer: &LinuxAnswer) -> Vec<String> {
    let mut found = Vec::new();
    let functions = answer.groups.iter().flat_map(|group| &group.devices).chain(&answer.without_group);
    for function in functions {
        let Some(device) = report.devices.iter().find(|device| device.name == function.bdf) else {
            found.push(format!("{} is not among the devices", function.bdf));
            continue;
        };
        let acs = |part: fn(&report::Acs) -> &String| device.acs.as_ref().map(part).map(String::as_str);
        let pairs = [
            ("ID", Some(function.id.as_str()), Some(device.id.as_str())),
            ("class", Some(function.class.as_str()), device.class.as_deref()),
            ("kind", Some(function.report_kind()), Some(device.kind.as_str())),
            ("driver", expected_driver(report, answer, function, device), device.driver.as_deref()),
            ("ACS capability", function.acs_cap.as_deref(), acs(|acs| &acs.capability)),
            ("ACS control", grouped_acs_control(function, device), acs(|acs| &acs.control)),
        ];
        for (what, wanted, is) in pairs {
            let same = wanted == is
                || matches!((wanted.map(number), is.map(number)), (Some(Some(a)), Some(Some(b))) if a == b);
            if !same {
                let [wanted, is] = [wanted, is].map(|value| value.unwrap_or("none"));
                found.push(format!("{}: expected {what} {wanted}, is {is}", device.name));
            }
        }
    }
    found
}

/// The driver that a function must have. Linux drives a virtio device by its transport, and what is behind it by
/// another driver; here the IOMMU has one for both. And where Linux's drivers still waited when it was asked, ours
/// have given up waiting, with a warning. An IOMMU whose driver did not survive its own probe counts as driven there.
fn expected_driver<'a>(
    report: &Report,
    answer: &LinuxAnswer,
    function: &'a Function,
    device: &'a Device,
) -> Option<&'a str> {
    let driver = Some(function.driver.as_str()).filter(|driver| *driver != NO_DRIVER);
    if driver.is_some() && answer.iommus.iter().any(|iommu| iommu.name == function.bdf) {
        let oops = format!("NULL pointer dereference: the IOMMU {} ", function.bdf);
        let survived = !report.warnings.iter().any(|warning| warning.starts_with(&oops));
        return survived.then_some(IOMMU_DRIVER);
    }
    let gave_up = report.warnings.iter().any(|warning| gave_up_on(warning) == Some(&function.bdf));
    if driver.is_none() && gave_up { device.driver.as_deref() } else { driver }
}

/// ACS is enabled when firmware's map is asked for a device. Where there is no map, Linux leaves the
/// register as it was, and nothing depends on it: then ours is as good.
fn grouped_acs_control<'a>(function: &'a Function, device: &'a Device) -> Option<&'a str> {
    match device.group {
        Some(_) => function.acs_ctrl.as_deref(),
        None => device.acs.as_ref().map(|acs| acs.control.as_str()),
    }
}
