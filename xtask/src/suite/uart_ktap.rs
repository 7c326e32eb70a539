//! The check of KTAP straight from the kernel: on the serial port, between the lines of the log.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use report::{Console, Form};

use super::checked::Verdict;
use crate::boot::Boot;
use crate::cli::{Common, TestArgs};
use crate::image;
use crate::ktap;
use crate::outcome::Stop;
use crate::program;
use crate::report_source::{self, Defaults};
use crate::topology::Topology;

/// The machine. Some of its devices have no group, for a reason.
const MACHINE: &str = "switch";

/// Boots once for the report as JSON and once for KTAP, and compares what they name.
pub(super) fn verdict(options: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let report = report_source::read("", &Defaults { common, topology: MACHINE })?;
    let devices = report.devices.iter().map(|device| format!("device.{}", device.name));
    let invariants = report.invariants.iter().map(|invariant| format!("invariant.{}", invariant.id));
    let named: BTreeSet<String> = devices.chain(invariants).chain(["verdict".into()]).collect();
    let mut boot = Boot::of_topology(&Topology::find(MACHINE)?, &program::qemu(common.qemu.as_deref()))?;
    boot.start.console = Console::Pl011;
    let kernel = image::build(boot.start.binary(), common.verbose)?;
    let log = tempfile::NamedTempFile::new().context("no file for the log")?;
    boot.print(&kernel, Form::Ktap, Duration::from_secs(options.timeout), log.path())?;
    let text = fs::read_to_string(log.path()).context("the log cannot be read")?;
    let results = match ktap::parse(&text) {
        Ok(results) => results,
        Err(error) => return Ok(Verdict::Failed(vec![error])),
    };
    let is: BTreeSet<String> = results.iter().map(|result| result.name.clone()).collect();
    let failed = results.iter().filter(|result| !result.ok || result.directive.is_some());
    let mut found: Vec<String> = failed.map(|result| format!("{}: expected ok", result.name)).collect();
    found.extend(named.symmetric_difference(&is).map(|name| format!("{name}: in one of KTAP and JSON only")));
    Ok(Verdict::of(found))
}
