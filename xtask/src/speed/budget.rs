//! What the boots of the default machine may cost: `xtask/budget.toml`.
//!
//! The figures are those of one compiler and of one release of QEMU: another one translates other code, and describes
//! the machine otherwise. With any other the check is skipped, and says so.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use report::Firmware;
use serde::Deserialize;

use super::work::Work;
use crate::boot::Boot;
use crate::capabilities::Capabilities;
use crate::image::Kernel;
use crate::outcome::Stop;
use crate::output;
use crate::topology::Topology;

/// How much more than its budget a figure may be, in per cent. A change that needs more states so in the file.
const TOLERANCE: u64 = 5;

/// The file below the workspace.
const FILE: &str = "xtask/budget.toml";

/// The routes with a budget. What a UEFI firmware translates hides what the kernel does.
pub(super) const ROUTES: [Firmware; 2] = [Firmware::Dt, Firmware::Acpi];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budgets {
    /// Version of the compiler.
    rustc: String,
    qemu: Vec<OfRelease>,
}

/// The budgets on one release of QEMU.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRelease {
    release: String,
    dt: Work,
    acpi: Work,
}

/// The result of the check.
pub(crate) enum Checked {
    /// The figures that are over their budgets.
    Compared(Vec<String>),
    /// Why there is no budget to compare with.
    Skipped(String),
}

/// Boots the default machine on each route and compares.
///
/// # Errors
///
/// The file cannot be read, the compiler or QEMU do not say their version, or a boot does not pass.
pub(crate) fn check(program: &str, kernel: &Kernel, deadline: Duration) -> Result<Checked, Stop> {
    let budgets = Budgets::read()?;
    let qemu = Capabilities::ask(program, &Default::default())?;
    let of_release = match budgets.applying(&rustc_version()?, qemu.version()) {
        Ok(of_release) => of_release,
        Err(reason) => return Ok(Checked::Skipped(reason)),
    };
    let topology = Topology::find("default")?;
    let mut over = Vec::new();
    for (route, budget) in ROUTES.into_iter().zip([of_release.dt, of_release.acpi]) {
        let mut boot = Boot::of_topology(&topology, program)?;
        boot.start.firmware = route;
        over.extend(exceeded(route.word(), Work::measure(&boot, kernel, deadline)?, budget));
    }
    Ok(Checked::Compared(over))
}

impl Budgets {
    fn read() -> Result<Self> {
        let file = output::workspace().join(FILE);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))
    }

    /// The budgets for this compiler and this QEMU, or why there are none.
    fn applying(&self, rustc: &str, qemu: &str) -> Result<&OfRelease, String> {
        if self.rustc != rustc {
            return Err(format!("the budget is that of rustc {}, this is rustc {rustc}", self.rustc));
        }
        let is_of = |budget: &&OfRelease| {
            qemu.strip_prefix(&budget.release).is_some_and(|rest| rest.starts_with('.'))
        };
        self.qemu
            .iter()
            .find(is_of)
            .ok_or_else(|| format!("{FILE} does not contain a budget for QEMU {qemu}"))
    }
}

/// The version of the compiler that builds the kernel.
fn rustc_version() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let said = Command::new(&rustc).arg("--version").current_dir(output::workspace()).output();
    let said = said.with_context(|| format!("cannot run {}", rustc.display()))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    ensure!(!version.is_empty(), "{} --version did not print a version", rustc.display());
    Ok(version.to_owned())
}

/// What is more than the tolerance over its budget.
fn exceeded(route: &str, is: Work, budget: Work) -> Vec<String> {
    let figures = [
        ("guest instructions translated", is.translated, budget.translated),
        ("blocks translated", is.blocks, budget.blocks),
        ("thousand guest instructions executed", is.executed_thousand, budget.executed_thousand),
    ];
    let over = figures.into_iter().filter(|(_, is, budget)| is * 100 > budget * (100 + TOLERANCE));
    over.map(|(what, is, budget)| {
        format!("{route}: {is} {what}, more than {TOLERANCE} % over the budget of {budget} in {FILE}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(translated: u64) -> Work {
        Work { translated, blocks: 10, executed_thousand: 10 }
    }

    #[test]
    fn a_figure_may_be_five_per_cent_over_its_budget() {
        assert!(exceeded("dt", work(1050), work(1000)).is_empty());
        assert_eq!(exceeded("dt", work(1051), work(1000)).len(), 1);
        assert!(exceeded("dt", work(1), work(1000)).is_empty());
    }

    #[test]
    fn a_budget_is_for_one_compiler_and_one_release_of_qemu() {
        let text = "rustc = \"1.95.0\"\n[[qemu]]\nrelease = \"7.2\"\n\
                    dt = { translated = 1, blocks = 1, executed_thousand = 1 }\n\
                    acpi = { translated = 1, blocks = 1, executed_thousand = 1 }\n";
        let budgets: Budgets = toml::from_str(text).unwrap();
        assert!(budgets.applying("1.95.0", "7.2.22 (Debian 1:7.2)").is_ok());
        assert!(budgets.applying("1.95.0", "7.20.1").is_err());
        assert!(budgets.applying("1.96.0", "7.2.22").is_err());
    }

    #[test]
    fn the_file_can_be_read() {
        Budgets::read().unwrap();
    }
}
