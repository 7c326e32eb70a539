//! Checks that boot, but are not one boot of one topology.

use std::fs;
use std::time::{Duration, Instant};

use crate::cli::{Common, DamageArgs, Format, TestArgs};
use crate::damage;
use crate::draw;
use crate::explain;
use crate::image::{self, Binary};
use crate::outcome::Stop;
use crate::program;
use crate::report_source::Defaults;
use crate::speed::{budget, map};

use super::boots::jobs;
use super::checked::{Checked, Layer, Verdict};
use super::{device_trees, linux_kernels, readme_commands, uart_ktap};

/// One such check.
pub(super) struct SpecialCheck {
    /// Its name, which filters find.
    pub(super) name: &'static str,
    /// What it checks.
    pub(super) about: &'static str,
    /// The command that repeats it.
    command: &'static str,
    verdict: fn(&TestArgs, &Common) -> Result<Verdict, Stop>,
}

/// All of them, in the order in which they run.
pub(super) const SPECIAL_CHECKS: [SpecialCheck; 9] = [
    SpecialCheck {
        name: "damaged-descriptions",
        about: "150 boots with damaged trees and tables end with a report or an error",
        command: "cargo xtask damage --seed 1 --boots 150",
        verdict: boot_damaged,
    },
    SpecialCheck {
        name: "budget",
        about: "a boot of the default machine costs no more than xtask/budget.toml grants",
        command: "cargo xtask speed",
        verdict: compare_with_budget,
    },
    SpecialCheck {
        name: "map-speed",
        about: "requests to map are sent one by one, in batches and joined as the kernel says, and QEMU counts the same",
        command: "cargo xtask speed --map",
        verdict: count_mappings,
    },
    SpecialCheck {
        name: "explanations",
        about: "the explanation of every function of some machines agrees with its group",
        command: "cargo xtask test explanations",
        verdict: compare_explanations,
    },
    SpecialCheck {
        name: "ktap-on-uart",
        about: "the kernel's report as KTAP between the lines of its log names what the report as JSON does",
        command: "cargo xtask qemu --topology switch --console pl011 --append report=ktap",
        verdict: uart_ktap::verdict,
    },
    SpecialCheck {
        name: "picture",
        about: "the picture in the README is that of a boot",
        command: "cargo xtask draw --topology switch --out xtask/pictures/switch.svg; git diff",
        verdict: compare_picture,
    },
    SpecialCheck {
        name: "readme",
        about: "the boots that READMEs show end as they say and print what they show",
        command: "cargo xtask test readme",
        verdict: readme_commands::verdict,
    },
    SpecialCheck {
        name: "linux-kernels",
        about: "kernels of Linux that are in the cache are named by the paths that model them",
        command: "cargo xtask linux --topology pcie-pci-bridge --kernel KERNEL",
        verdict: linux_kernels::verdict,
    },
    SpecialCheck {
        name: "device-trees",
        about: "every device tree of a Linux package in the cache is read as another parser reads it",
        command: "cargo xtask check PACKAGE",
        verdict: device_trees::verdict,
    },
];

/// Boots with damage, always the same ones; `cargo xtask damage` makes any number.
const DAMAGED_BOOTS: u64 = 150;

/// Topologies all of whose functions are explained: ports without ACS, slots with several functions, bridges that replace
/// requester IDs.
const EXPLAINED: [&str; 5] = ["default", "switch", "bridge-chain", "mf-conventional", "mf-switch-ports"];

/// The topology whose picture is in the README.
const DRAWN: &str = "switch";

impl SpecialCheck {
    /// Runs the check.
    pub(super) fn run(&self, options: &TestArgs, common: &Common) -> Checked {
        let started = Instant::now();
        let verdict = (self.verdict)(options, common)
            .unwrap_or_else(|stop| Verdict::Failed(vec![format!("{}: {}", stop.kind.word(), stop.message)]));
        let checked = Checked::of(self.name, Layer::Boot, self.command.into(), verdict);
        Checked { took: started.elapsed(), ..checked }
    }
}

fn boot_damaged(options: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let damage = DamageArgs {
        common: common.clone(),
        seed: 1,
        boots: DAMAGED_BOOTS,
        only: None,
        topology: Vec::new(),
        firmware: Vec::new(),
        jobs: jobs(options).try_into().unwrap_or(u16::MAX),
        json: None,
        timeout: options.timeout,
    };
    let kernel = image::build(Binary::Main, common.verbose)?;
    Ok(Verdict::of(damage::check(&damage, &kernel)?))
}

fn compare_with_budget(options: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let program = program::qemu(common.qemu.as_deref());
    let deadline = Duration::from_secs(options.timeout);
    let kernel = image::build(Binary::Main, common.verbose)?;
    Ok(match budget::check(&program, &kernel, deadline)? {
        budget::Checked::Compared(over) => Verdict::of(over),
        budget::Checked::Skipped(reason) => Verdict::Skipped(reason),
    })
}

fn count_mappings(options: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let program = program::qemu(common.qemu.as_deref());
    let kernel = image::build(Binary::Full, common.verbose)?;
    Ok(Verdict::of(map::check(&program, &kernel, Duration::from_secs(options.timeout))?))
}

fn compare_explanations(_: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let mut found = Vec::new();
    for topology in EXPLAINED {
        let contradictions = explain::check(&Defaults { common, topology })?;
        found.extend(contradictions.into_iter().map(|what| format!("{topology}: {what}")));
    }
    Ok(Verdict::of(found))
}

fn compare_picture(_: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let file = crate::output::workspace().join("xtask/pictures").join(DRAWN).with_extension("svg");
    let drawn = draw::of("", &Defaults { common, topology: DRAWN }, Format::Svg)?;
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let differs = format!("{} is not what a boot gives now", file.display());
    Ok(Verdict::of(if kept == drawn { Vec::new() } else { vec![differs] }))
}
