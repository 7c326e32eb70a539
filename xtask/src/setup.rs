//! What a fresh machine lacks, and how it is installed: said first, then done, or left with the
//! exact commands if it may not or cannot be done.

use std::env;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::Common;
use crate::firmware;
use crate::image::TARGET;
use crate::outcome::Stop;
use crate::output;
use crate::program::{self, QEMU, in_path};

/// Option ROM that QEMU's virtio-net and e1000 models refuse to be made without.
const OPTION_ROM: &str = "efi-virtio.rom";

/// Something that a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Rust's standard libraries for the target.
    Target,
    /// The format and lint checks.
    Checkers,
    /// QEMU and its option ROMs.
    Qemu,
    /// UEFI firmware for QEMU.
    Firmware,
}

/// All that any command needs.
pub(crate) const EVERYTHING: [Need; 4] = [Need::Target, Need::Checkers, Need::Qemu, Need::Firmware];

/// The package manager that installs what is not Rust's, where it is there: that of Debian and Ubuntu, as root.
const PACKAGE_MANAGER: &str = "apt-get";

/// What a system without [`PACKAGE_MANAGER`] calls it, or whoever has no package of it: so much is known anywhere.
struct Package {
    /// Its name in Debian and Ubuntu.
    name: &'static str,
    /// What is needed, and where it is looked for.
    wanted: &'static str,
}

/// QEMU.
const QEMU_PACKAGE: Package = Package {
    name: "qemu-system-arm",
    wanted: "QEMU for aarch64, 7.2 or newer, in PATH or named with --qemu",
};
/// Option ROMs.
const ROM_PACKAGE: Package = Package {
    name: "ipxe-qemu",
    wanted: "iPXE's option ROMs for QEMU (efi-virtio.rom and others), in one of the directories of `qemu-system-aarch64 -L help`",
};
/// UEFI firmware.
const FIRMWARE_PACKAGE: Package = Package {
    name: "qemu-efi-aarch64",
    wanted: "EDK2 for QEMU's aarch64 machines, as QEMU_EFI.fd in one of /usr/share/{qemu-efi-aarch64,edk2/aarch64,AAVMF} or as \
             edk2-aarch64-code.fd among QEMU's data files",
};

/// One thing that is missing, and the commands that install it.
struct Missing {
    what: String,
    /// Empty if we know none.
    commands: Vec<Vec<String>>,
    /// Whether we may run them.
    possible: bool,
}

/// `cargo xtask setup`.
///
/// # Errors
///
/// As [`provide`].
pub(crate) fn command() -> Result<(), Stop> {
    provide(&EVERYTHING, &Common::default())?;
    eprintln!("Everything is there.");
    Ok(())
}

/// Makes sure of `needs`; installs what is missing, if it may. Quick if nothing is.
///
/// # Errors
///
/// Something is missing and may not or cannot be installed; the message has the commands.
pub(crate) fn provide(needs: &[Need], options: &Common) -> Result<(), Stop> {
    let missing: Vec<Missing> = needs.iter().filter_map(|need| missing(*need, options)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for one in &missing {
        eprintln!("Missing: {}", one.what);
    }
    let commands: Vec<&Vec<String>> = missing.iter().flat_map(|one| &one.commands).collect();
    let lines: String = commands.iter().map(|words| format!("\n  {}", output::shell_line(*words))).collect();
    let names = missing.iter().map(|one| one.what.as_str()).collect::<Vec<_>>().join("; ");
    if missing.iter().any(|one| one.commands.is_empty()) {
        return Err(Stop::unable(format!("missing, and to be installed by hand: {names}{lines}")));
    }
    if options.no_setup || !missing.iter().all(|one| one.possible) {
        return Err(Stop::unable(format!("missing: {names}. This installs it:{lines}")));
    }
    eprintln!("Installing it:{lines}");
    for words in commands {
        let failed =
            || Stop::unable(format!("`{}` failed; still missing: {names}", output::shell_line(words)));
        let [program, arguments @ ..] = words.as_slice() else { continue };
        eprintln!("+ {}", output::shell_line(words));
        // Standard output is kept for reports.
        let status = Command::new(program).args(arguments).stdout(std::io::stderr()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(failed());
        }
    }
    for need in needs {
        if let Some(still) = self::missing(*need, options) {
            return Err(Stop::unable(format!("still missing after the installation: {}", still.what)));
        }
    }
    Ok(())
}

fn missing(need: Need, options: &Common) -> Option<Missing> {
    match need {
        Need::Target => {
            (!has_target()).then(|| rustup(&["target", "add", TARGET], "the Rust target", TARGET))
        }
        Need::Checkers => {
            let has = |tool: &str| succeeds(Command::new(output::cargo()).args([tool, "--version"]));
            let tools: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
                .into_iter()
                .filter(|(tool, _)| !has(tool))
                .map(|(_, component)| component)
                .collect();
            let words = [&["component", "add"], tools.as_slice()].concat();
            (!tools.is_empty()).then(|| rustup(&words, "the Rust components", &tools.join(", ")))
        }
        Need::Qemu => missing_qemu(options.qemu.as_deref()),
        Need::Firmware => {
            let qemu = program::qemu(options.qemu.as_deref());
            let missing = firmware::find(&qemu).is_none();
            missing.then(|| package("UEFI firmware for QEMU".to_owned(), &[FIRMWARE_PACKAGE]))
        }
    }
}

/// Whether the compiler in use finds libraries for the target.
fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|asked| Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir())
}

fn rustup(words: &[&str], kind: &str, name: &str) -> Missing {
    if in_path("rustup").is_some() {
        let commands = vec![[&["rustup"], words].concat().into_iter().map(String::from).collect()];
        Missing { what: format!("{kind} {name}"), commands, possible: true }
    } else {
        Missing {
            what: format!("{kind} {name}, and rustup, which would add it (https://rustup.rs)"),
            commands: Vec::new(),
            possible: false,
        }
    }
}

fn missing_qemu(chosen: Option<&Path>) -> Option<Missing> {
    if let Some(path) = chosen {
        let program = program::absolute(path);
        let is_there = Path::new(&program).is_file() || in_path(&program).is_some();
        return (!is_there).then(|| Missing {
            what: format!("QEMU at {program}"),
            commands: Vec::new(),
            possible: false,
        });
    }
    match in_path(QEMU) {
        None => Some(package(QEMU.to_owned(), &[QEMU_PACKAGE, ROM_PACKAGE])),
        Some(qemu) if !has_option_roms(&qemu) => {
            Some(package(format!("QEMU's option ROM {OPTION_ROM}"), &[ROM_PACKAGE]))
        }
        Some(_) => None,
    }
}

/// Something that these packages bring.
fn package(what: String, packages: &[Package]) -> Missing {
    if in_path(PACKAGE_MANAGER).is_none() {
        return by_hand(what, packages);
    }
    let privilege = privilege();
    // Who cannot become root from here still learns what root would run.
    let commands = install(packages, privilege.as_deref().unwrap_or(&["sudo"]));
    Missing { what, commands, possible: privilege.is_some() }
}

/// What is wanted, where there is no package manager that has been tried.
fn by_hand(what: String, packages: &[Package]) -> Missing {
    let wanted: Vec<&str> = packages.iter().map(|package| package.wanted).collect();
    Missing { what: format!("{what} ({})", wanted.join("; ")), commands: Vec::new(), possible: false }
}

/// The commands that install `packages`, each after the words of `privilege`.
fn install(packages: &[Package], privilege: &[&str]) -> Vec<Vec<String>> {
    let names = packages.iter().map(|package| package.name);
    let line = |words: &[&'static str]| -> Vec<String> {
        let words = privilege.iter().copied().chain([PACKAGE_MANAGER]).chain(words.iter().copied());
        words.map(String::from).collect()
    };
    let mut last = line(&["install", "--yes", "--no-install-recommends"]);
    last.extend(names.map(String::from));
    vec![line(&["update"]), last]
}

/// The words before a command that needs root; `None` if there is no way to become it.
fn privilege() -> Option<Vec<&'static str>> {
    if is_root() {
        return Some(Vec::new());
    }
    in_path("sudo")?;
    // Without a terminal nobody can type a password, and sudo must not wait for one.
    Some(if std::io::stdin().is_terminal() { vec!["sudo"] } else { vec!["sudo", "-n"] })
}

/// Whether one of the directories that QEMU looks into has the option ROMs. A QEMU that does not say
/// where it looks is believed to have them.
fn has_option_roms(qemu: &Path) -> bool {
    let places = firmware::directories(qemu);
    places.is_empty() || places.iter().any(|place| place.join(OPTION_ROM).is_file())
}

fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|asked| asked.stdout.trim_ascii() == b"0")
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_follow_the_last_command_only() {
        let lines = install(&[QEMU_PACKAGE, ROM_PACKAGE], &["sudo"]);
        assert_eq!(lines[0], ["sudo", "apt-get", "update"]);
        let words = "sudo apt-get install --yes --no-install-recommends qemu-system-arm ipxe-qemu";
        assert_eq!(lines[1].join(" "), words);
    }

    #[test]
    fn without_the_package_manager_it_is_said_what_is_needed_and_where() {
        let missing = by_hand(QEMU.to_owned(), &[QEMU_PACKAGE, ROM_PACKAGE]);
        assert!(missing.commands.is_empty() && !missing.possible);
        for part in [QEMU, "7.2 or newer", "PATH", "--qemu", OPTION_ROM, "-L help"] {
            assert!(missing.what.contains(part), "{part}: {}", missing.what);
        }
    }

    #[test]
    fn a_qemu_that_is_named_and_missing_is_never_installed() {
        let missing = missing_qemu(Some(Path::new("/no/such/qemu"))).unwrap();
        assert!(missing.commands.is_empty());
        assert!(missing.what.contains("/no/such/qemu"));
    }
}
