//! The checks that need no QEMU: of the sources, and the tests that run on the host.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::checked::{Checked, Layer, Verdict};
use crate::image::TARGET;
use crate::outcome::Stop;
use crate::output;
use crate::program;

/// Warnings are errors, in documentation as everywhere.
const STRICT: &str = "-Dwarnings";

/// A check that needs no QEMU.
pub(super) struct HostCheck {
    pub(super) name: &'static str,
    /// Arguments of cargo.
    pub(super) arguments: &'static [&'static str],
    /// Whether it runs in a browser; without one it is skipped, because only this check would need the download.
    needs_browser: bool,
}

/// Names of Chromium, the likeliest first.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Names the browser for the test, and another one for us.
const BROWSER: &str = "IOGROUPS_BROWSER";

/// The checks of the sources, and the tests that run on the host.
pub(super) const HOST_CHECKS: [HostCheck; 11] = [
    HostCheck { name: "format", arguments: &["fmt", "--all", "--check"], needs_browser: false },
    HostCheck {
        name: "lints",
        arguments: &["clippy", "--quiet", "--all-targets", "--", STRICT],
        needs_browser: false,
    },
    HostCheck {
        name: "lints of the image",
        arguments: &[
            "clippy",
            "--quiet",
            "--release",
            "--package",
            "boot",
            "--package",
            "kernel",
            "--package",
            "linux-init",
            "--target",
            TARGET,
            "--",
            STRICT,
        ],
        needs_browser: false,
    },
    // Workspaces of their own, which nothing else here compiles; without libFuzzer, stable Rust is enough.
    HostCheck {
        name: "lints of the fuzz targets of firmware",
        arguments: &[
            "clippy",
            "--quiet",
            "--manifest-path",
            "kernel/firmware/fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--no-default-features",
            "--all-targets",
            "--",
            STRICT,
        ],
        needs_browser: false,
    },
    HostCheck {
        name: "lints of the fuzz target of viommu",
        arguments: &[
            "clippy",
            "--quiet",
            "--manifest-path",
            "kernel/viommu/fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--no-default-features",
            "--all-targets",
            "--",
            STRICT,
        ],
        needs_browser: false,
    },
    // `boot` is documented with the image: on a host, most of it is not there.
    HostCheck {
        name: "documentation",
        arguments: &[
            "doc",
            "--quiet",
            "--no-deps",
            "--workspace",
            "--exclude",
            "boot",
            "--exclude",
            "kernel",
            "--exclude",
            "linux-init",
        ],
        needs_browser: false,
    },
    HostCheck {
        name: "documentation of the image",
        arguments: &[
            "doc",
            "--quiet",
            "--no-deps",
            "--package",
            "boot",
            "--package",
            "kernel",
            "--package",
            "linux-init",
            "--target",
            TARGET,
        ],
        needs_browser: false,
    },
    HostCheck { name: "tests", arguments: &["test", "--quiet"], needs_browser: false },
    // That an example does not compile proves something only if it is for the stated reason, and rustdoc compares the
    // codes of errors on nightly alone. A target directory of its own, because the variable changes what others build.
    HostCheck {
        name: "errors of examples that must not compile",
        arguments: &[
            "test",
            "--quiet",
            "--doc",
            "--package",
            "probe",
            "--target-dir",
            "target/doc-tests",
            "--config",
            "env.RUSTC_BOOTSTRAP=\"1\"",
        ],
        needs_browser: false,
    },
    HostCheck {
        name: "page in a browser",
        arguments: &["test", "--quiet", "--package", "xtask", "--test", "page"],
        needs_browser: true,
    },
    HostCheck { name: "scenarios", arguments: &["xtask", "explore", "--all"], needs_browser: false },
];

impl HostCheck {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Cargo cannot be started.
    pub(super) fn run(&self) -> Result<Checked, Stop> {
        let started = Instant::now();
        let browser = if self.needs_browser { browser() } else { None };
        if self.needs_browser && browser.is_none() {
            let reason = format!("no Chromium in PATH (apt-get install chromium, or {BROWSER}=PROGRAM)");
            return Ok(Checked::of(self.name, Layer::Host, self.command(), Verdict::Skipped(reason)));
        }
        let mut cargo = Command::new(output::cargo());
        cargo.args(self.arguments).current_dir(output::workspace()).env("RUSTDOCFLAGS", STRICT);
        // The output is kept; colours are for terminals.
        cargo.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
        cargo.envs(browser.map(|browser| (BROWSER, browser)));
        output::announce(&cargo);
        let done = cargo.output().context("cargo cannot be started")?;
        let said = [done.stdout, done.stderr].concat();
        let differences = (!done.status.success())
            .then(|| format!("{}\n{}", done.status, String::from_utf8_lossy(&said).trim_end()))
            .into_iter()
            .collect();
        let checked = Checked::of(self.name, Layer::Host, self.command(), Verdict::of(differences));
        Ok(Checked { took: started.elapsed(), ..checked })
    }
    /// The command that repeats it.
    fn command(&self) -> String {
        let strict =
            if self.arguments[0] == "doc" { format!("RUSTDOCFLAGS={STRICT} ") } else { String::new() };
        format!("{strict}cargo {}", output::shell_line(self.arguments))
    }
}

/// The browser that the environment names, or the first that is there.
fn browser() -> Option<OsString> {
    let found = || BROWSERS.into_iter().find_map(program::in_path).map(OsString::from);
    env::var_os(BROWSER).or_else(found)
}
