//! The commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::choices::{Console, Firmware, Iommu};
use crate::outcome::Asked;
use crate::probe_path;

/// Builds, boots, judges.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "Exit status: 0 pass; 1 the verdict is fail, or the kernel ended in an error, a panic or a \
                  timeout; 2 wrong usage; 125 it could not run."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Installs what is missing on this machine, and says first what that is.
    Setup,
    /// Boots the kernel once and shows its report.
    Qemu(QemuArgs),
    /// Runs every check: format, lints, documentation, host tests, and boots of every topology.
    Test(TestArgs),
    /// Shows what each probe path does in a scenario, step by step; without a name, all scenarios.
    Replay(ReplayArgs),
    /// Tries every order of a scenario's steps, and of what can come in between.
    Explore(ExploreArgs),
    /// Plays a scenario on two CPUs of QEMU: one walks the buses for IOMMUs, the other one binds their users.
    Race(RaceArgs),
    /// Boots machines whose device trees and ACPI tables are damaged at random.
    Damage(DamageArgs),
    /// Compares the time of a boot with that of an Image whose first instructions exit.
    Speed(SpeedArgs),
    /// Counts guest instructions on machines with more and more PCI functions.
    Growth(GrowthArgs),
}

/// Options that every command which builds or boots has.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// QEMU to run [default: qemu-system-aarch64 in PATH].
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
    /// Installs nothing; stops with the command that would, if something is missing.
    #[arg(long)]
    pub(crate) no_setup: bool,
    /// Prints every command before it runs, and every device of a report in a line of its own.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct QemuArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where the description of the machine comes from [default: as the topology says, else dt].
    #[arg(long, value_name = "WHERE")]
    pub(crate) firmware: Option<Firmware>,
    /// With or without a virtio-iommu [default: as the topology says].
    #[arg(long, value_name = "WHETHER", conflicts_with = "bare")]
    pub(crate) iommu: Option<Iommu>,
    /// Devices and machine options from a topology, by its name or its file.
    #[arg(long, value_name = "NAME|FILE", default_value = "default", conflicts_with = "bare")]
    pub(crate) topology: String,
    /// No device but those after `--`: only machine, CPU, memory and kernel.
    #[arg(long)]
    pub(crate) bare: bool,
    /// Further options for `-M virt`; may be repeated [default: as the topology says].
    #[arg(long, value_name = "K=V[,K=V]", value_parser = machine_options)]
    pub(crate) machine: Vec<String>,
    /// CPU model; a 64-bit one [default: as the topology says, or cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Probe path: ours, or that of a Linux with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Order of devices and drivers: seed:N, or names, with * for the rest [default: Linux's].
    #[arg(long, value_name = "seed:N|NAME,NAME,*,NAME", value_parser = order)]
    pub(crate) order: Option<String>,
    /// A device tree blob, from a file or a pipe [default: QEMU's].
    #[arg(long, value_name = "FILE")]
    pub(crate) dtb: Option<PathBuf>,
    /// Files with one ACPI table each, in place of QEMU's of the same signature, or beside them; only where the
    /// description is in tables (--firmware acpi, uefi-acpi) [default: QEMU's].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) tables: Vec<PathBuf>,
    /// Number of CPUs [default: as the topology says, or 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) smp: Option<u32>,
    /// RAM, as QEMU writes it: 512M, 8G [default: as the topology says, or 512M].
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) memory: Option<String>,
    /// Words for the kernel's command line; `report=text|json|ktap` chooses what is printed [default: none].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// Stops a run that takes longer; not with --gdb.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// Waits for a debugger before the first instruction, and has no deadline.
    #[arg(long)]
    pub(crate) gdb: bool,
    /// What carries the report; the log is on the serial port either way [default: as the topology says,
    /// or semihosting].
    #[arg(long, value_name = "WHICH")]
    pub(crate) console: Option<Console>,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// How many groups there must be; another number is a failure [default: any].
    #[arg(long, value_name = "N")]
    pub(crate) expect_groups: Option<u32>,
    /// What the boot must give: a report that was saved with --json, a topology, or a file with its `[expect]` alone;
    /// each difference is a failure [default: the verdict decides].
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// Shows the QEMU command and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU [default: none].
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Runs only the boot tests whose names contain one of these words [default: every check].
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Shows the names of the tests and runs none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Leaves out what needs no QEMU.
    #[arg(long)]
    pub(crate) boot_only: bool,
    /// Leaves out what needs QEMU.
    #[arg(long, conflicts_with_all = ["boot_only", "filters"])]
    pub(crate) host_only: bool,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Results as a JUnit report [default: none].
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Keeps the report of every boot as DIR/NAME.json; the directory is created [default: none].
    #[arg(long, value_name = "DIR")]
    pub(crate) reports: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DamageArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where the damage comes from: the same seed, the same boots.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many boots.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) boots: u64,
    /// Boots this one alone, shows its log and keeps its files in target/damage [default: all].
    #[arg(long, value_name = "BOOT", conflicts_with = "boots")]
    pub(crate) only: Option<u64>,
    /// Damages this topology's machine; may be repeated [default: eight of different kinds].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) topology: Vec<String>,
    /// Where the description of the machine comes from; may be repeated [default: dt and acpi].
    #[arg(long, value_name = "WHERE")]
    pub(crate) firmware: Vec<Firmware>,
    /// Boots at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// A boot that takes longer is stopped, and has failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

/// Options of `cargo xtask growth`.
#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Functions of the largest machine.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(32..=crate::growth::MOST as u64))]
    pub(crate) functions: usize,
    /// Where the description of the machine comes from.
    #[arg(long, value_name = "WHERE", default_value = "dt")]
    pub(crate) firmware: Firmware,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SpeedArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The machine, by the name or the file of its topology.
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub(crate) topology: String,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A scenario, by its name or its file [default: a line for each].
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: Option<String>,
    /// This probe path alone [default: all].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Everything as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RaceArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A scenario, by its name or its file.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: String,
    /// Probe path: ours, or that of a Linux with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// How often, each time with a new machine.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) rounds: u64,
    /// Where the pauses between two pieces of work come from; timing differs from run to run all the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// CPU model; a 64-bit one [default: cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Stops a run that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Shows the QEMU command and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU [default: none].
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExploreArgs {
    /// A scenario, by its name or its file [default: none, see --all].
    #[arg(value_name = "NAME|FILE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) scenario: Option<String>,
    /// This probe path alone [default: all].
    #[arg(long, value_name = "PATH", conflicts_with = "all", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Stops, incomplete, at so many states of one path.
    #[arg(long, value_name = "STATES", default_value_t = 4_000_000, value_parser = clap::value_parser!(usize))]
    pub(crate) limit: usize,
    /// Where the first counterexample goes [default: target/counterexamples, where the others go too].
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub(crate) out: Option<PathBuf>,
    /// Every scenario on every path, compared with what the files expect and with the figures in the repository.
    #[arg(long)]
    pub(crate) all: bool,
    /// Makes the figures in the repository what comes out.
    #[arg(long, requires = "all")]
    pub(crate) write: bool,
}

/// Where the JSON form of a command line goes that could not be read as a whole: what `--json` in it
/// says, as the options above would have it.
pub(crate) fn json_of(arguments: &[String]) -> Option<PathBuf> {
    let standard_output = || PathBuf::from("-");
    // A word after `--json` belongs to it, except where words are filters or names.
    let takes_next = arguments.first().is_none_or(|command| command != "test" && command != "replay");
    let mut words = arguments.iter().take_while(|word| *word != "--").peekable();
    let mut found = None;
    while let Some(word) = words.next() {
        if let Some(file) = word.strip_prefix("--json=") {
            found = Some(PathBuf::from(file));
        } else if word == "--json" {
            let file = words.next_if(|next| takes_next && (*next == "-" || !next.starts_with('-')));
            found = Some(file.map_or_else(standard_output, PathBuf::from));
        }
    }
    found
}

/// What a command line asks to be run that could not be read as a whole: the values of these options, as far as they
/// are there.
pub(crate) fn asked_of(arguments: &[String]) -> Asked {
    let value = |option: &str| {
        let words: Vec<&String> = arguments.iter().take_while(|word| *word != "--").collect();
        let joined = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        let apart = || words.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1].as_str());
        joined.or_else(apart).map(String::from)
    };
    let [firmware, path, topology, qemu] = ["--firmware", "--path", "--topology", "--qemu"].map(value);
    Asked { firmware, path, topology, qemu }
}

/// Checks `K=V[,K=V]`.
fn machine_options(text: &str) -> Result<String, String> {
    let is_option =
        |option: &str| option.split_once('=').is_some_and(|(k, v)| !k.is_empty() && !v.is_empty());
    if text.split(',').all(is_option) { Ok(text.into()) } else { Err("expected K=V[,K=V]".into()) }
}

/// Checks that an order is one word of the kernel's command line; the names in it are the kernel's to know.
fn order(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("expected seed:N, or names of devices and drivers with commas between them".into());
    }
    Ok(text.into())
}

/// Checks a size as QEMU's `-m` takes it.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']).unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(size) if size > 0 => Ok(text.into()),
        _ => Err("expected a number with K, M, G or T".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_that_cannot_be_read_still_says_where_json_goes() {
        for (line, place) in [
            ("qemu --bogus", None),
            ("qemu --json --bogus", Some("-")),
            ("qemu --bogus --json", Some("-")),
            ("qemu --json=/tmp/y.json --bogus", Some("/tmp/y.json")),
            ("qemu --json /tmp/x.json --bogus", Some("/tmp/x.json")),
            ("qemu --json - --bogus", Some("-")),
            ("test --json simple --bogus", Some("-")),
            ("test --json=r.json --bogus", Some("r.json")),
            ("replay --json self-map --bogus", Some("-")),
            ("qemu --bogus -- --json", None),
        ] {
            let words: Vec<String> = line.split(' ').map(String::from).collect();
            assert_eq!(json_of(&words), place.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn a_command_line_that_cannot_be_read_still_says_what_was_asked_for() {
        let line = "qemu --firmware acpi --path=legacy --bogus --topology simple -- --qemu x";
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let [firmware, path, topology] = ["acpi", "legacy", "simple"].map(|word| Some(word.to_owned()));
        assert_eq!(asked_of(&words), Asked { firmware, path, topology, qemu: None });
    }

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
