//! The commands and their options.

use clap::{Parser, Subcommand};

mod check;
mod checks;
mod common;
mod compare;
mod linux;
mod machines;
mod scenarios;
mod unreadable;

pub(crate) use check::{CheckArgs, ParseArgs};
pub(crate) use checks::{DamageArgs, GrowthArgs, SpeedArgs, TestArgs};
pub(crate) use common::Common;
pub(crate) use compare::{DiffArgs, DrawArgs, Format, ReportArgs, WhichLogs};
pub(crate) use linux::LinuxArgs;
pub(crate) use machines::{ExplainArgs, QemuArgs, RaceArgs};
pub(crate) use scenarios::{ExploreArgs, ReplayArgs};
pub(crate) use unreadable::{asked_of, json_of};

/// Builds the kernel, boots it in QEMU and checks the report.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "Exit status: 0 pass; 1 the verdict is fail, or the kernel ended with an error, a panic or a \
                  timeout; 2 wrong usage; 125 it could not run."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists what is missing on this machine, and installs it.
    Setup,
    /// Boots the kernel once and prints its report.
    Qemu(QemuArgs),
    /// Runs every check: format, lints, documentation, host tests, and boots of every topology.
    Test(TestArgs),
    /// Compares two reports: saved ones, or those of two runs.
    Diff(DiffArgs),
    /// Boots once and explains why devices are in their groups.
    Explain(ExplainArgs),
    /// Draws a report: the PCI tree, with groups as boxes.
    Draw(DrawArgs),
    /// Writes one HTML page of the last run of `cargo xtask test`, with filters, pictures, differences and logs.
    Report(ReportArgs),
    /// Prints what each probe path does in a scenario, step by step.
    Replay(ReplayArgs),
    /// Runs a scenario in every order of its steps and with every interleaving.
    Explore(ExploreArgs),
    /// Runs a scenario on two CPUs in QEMU: one walks the buses for IOMMUs, the other binds the devices behind them.
    Race(RaceArgs),
    /// Boots machines with randomly damaged device trees and ACPI tables.
    Damage(DamageArgs),
    /// Compares the time of a boot with an image that exits at once.
    Speed(SpeedArgs),
    /// Boots a Linux kernel on the same machines, compares its groups and names the probe path that it is like.
    Linux(LinuxArgs),
    /// Reads the device tree or ACPI tables of any machine and prints which device is behind which IOMMU.
    Check(CheckArgs),
    /// Reads a saved log, ours or that of a Linux, and names the probe path that it looks like.
    Parse(ParseArgs),
    /// Counts guest instructions on machines with an increasing number of PCI functions.
    Growth(GrowthArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_that_takes_a_value_and_may_be_left_out_says_its_default() {
        use clap::CommandFactory as _;
        for command in Cli::command().get_subcommands() {
            let takes_values =
                |option: &&clap::Arg| option.get_action().takes_values() && !option.is_required_set();
            for option in command.get_arguments().filter(takes_values) {
                let help = option.get_help().map(ToString::to_string).unwrap_or_default();
                let has_default = !option.get_default_values().is_empty() || help.contains("[default: ");
                assert!(has_default, "{} {}: {help}", command.get_name(), option.get_id());
            }
        }
    }
}
