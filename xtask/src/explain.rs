//! `cargo xtask explain`: why a device is in its group, or in none.

use report::Report;

use crate::cli::ExplainArgs;
use crate::one_boot;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::report_source::{self, Defaults};
use crate::run::Log;

/// Runs the command. The verdict of the boot does not decide its exit status: only the explanations are asked for.
///
/// # Errors
///
/// There was no report, or the machine has no device with one of the names.
pub(crate) fn command(options: &ExplainArgs) -> Result<Kind, Stop> {
    let mut boot = options.qemu.clone();
    let word = format!("explain={}", options.devices.join(","));
    boot.append = Some(boot.append.map_or(word.clone(), |words| format!("{words} {word}")));
    let Some((outcome, _)) = one_boot::run(&boot, &Log::Hidden)? else { return Ok(Kind::Pass) };
    let report = outcome.into_report()?;
    let is_missing = |name: &&String| report.explained.iter().all(|explained| explained.device != **name);
    let missing: Vec<&str> = options.devices.iter().filter(is_missing).map(String::as_str).collect();
    if !missing.is_empty() {
        let functions = report.devices.iter().filter(|device| device.bus == "pci");
        let functions: Vec<&str> = functions.map(|device| device.name.as_str()).collect();
        return Err(Stop::usage(format!(
            "no device is named {}; the PCI functions are {} (`cargo xtask qemu -v` lists all devices)",
            missing.join(", "),
            functions.join(" ")
        )));
    }
    let text: String = report.explained.iter().map(ToString::to_string).collect();
    output::results(&text, &report.explained, boot.json.as_deref())?;
    Ok(Kind::Pass)
}

/// Explains every PCI function of a topology and compares that with the groups: what contradicts them.
///
/// # Errors
///
/// There was no report.
pub(crate) fn check(defaults: &Defaults) -> Result<Vec<String>, Stop> {
    let plain = report_source::read("", defaults)?;
    let functions = plain.devices.iter().filter(|device| device.bus == "pci");
    let names: Vec<&str> = functions.map(|device| device.name.as_str()).collect();
    let report = report_source::read(&format!("--append explain={}", names.join(",")), defaults)?;
    let explained = report.explained.iter().map(|explained| explained.device.as_str());
    let mut found = contradictions(&report);
    if !explained.eq(names.iter().copied()) {
        found.push(format!("not every one of {} is explained", names.join(", ")));
    }
    Ok(found)
}

/// What an explanation says otherwise than the groups and endpoints of the same report.
fn contradictions(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    for explained in &report.explained {
        let name = &explained.device;
        let Some(device) = report.devices.iter().find(|device| device.name == *name) else {
            found.push(format!("{name} is explained, and there is no such device"));
            continue;
        };
        let in_use = explained.references.iter().filter(|reference| reference.in_use);
        let endpoints: Vec<&String> = in_use.map(|reference| &reference.endpoint).collect();
        if device.group.is_some() && !endpoints.iter().copied().eq(&device.endpoints) {
            found.push(format!("{name} has endpoints {:?}, explained are {endpoints:?}", device.endpoints));
        }
        let is_alone = explained.alone_if.as_ref().is_some_and(Vec::is_empty);
        if device.group.is_some() && is_alone != explained.shares_with.is_empty() {
            let others = explained.shares_with.join(" ");
            found.push(format!(
                "{name} shares its group with [{others}], alone_if is {:?}",
                explained.alone_if
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use report::Explained;

    use super::*;
    use crate::fixture::report_of;

    #[test]
    fn what_contradicts_the_groups_is_found() {
        let mut report = report_of(&[&["0000:00:02.0", "0000:00:03.0"]]);
        report.explained = vec![Explained {
            device: "0000:00:02.0".into(),
            shares_with: vec!["0000:00:03.0".into()],
            alone_if: Some(vec!["0000:00:02.0".into()]),
            ..Explained::default()
        }];
        assert_eq!(contradictions(&report), [""; 0]);
        report.explained[0].alone_if = Some(Vec::new());
        assert_eq!(contradictions(&report).len(), 1);
        report.explained[0].alone_if = None;
        report.devices[1].endpoints = vec!["0x10".into()];
        assert_eq!(contradictions(&report).len(), 1);
        report.explained[0].device = "0000:00:1f.0".into();
        assert_eq!(contradictions(&report), ["0000:00:1f.0 is explained, and there is no such device"]);
    }
}
