//! The checks that need no QEMU: of the sources, and the tests that run on the host.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::checked::{Checked, Layer, Verdict};
use crate::image::TARGET;
use crate::outcome::Stop;
use crate::output;

/// Warnings are errors, in documentation as everywhere.
const STRICT: &str = "-Dwarnings";

/// A check that needs no QEMU.
pub(super) struct HostCheck {
    pub(super) name: &'static str,
    /// Arguments of cargo.
    pub(super) arguments: &'static [&'static str],
}

/// The checks of the sources, and the tests that run on the host.
pub(super) const HOST_CHECKS: [HostCheck; 9] = [
    HostCheck { name: "format", arguments: &["fmt", "--all", "--check"] },
    HostCheck { name: "lints", arguments: &["clippy", "--quiet", "--all-targets", "--", STRICT] },
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
    },
    HostCheck { name: "tests", arguments: &["test", "--quiet"] },
    HostCheck { name: "scenarios", arguments: &["xtask", "explore", "--all"] },
];

impl HostCheck {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Cargo cannot be started.
    pub(super) fn run(&self) -> Result<Checked, Stop> {
        let started = Instant::now();
        let mut cargo = Command::new(output::cargo());
        cargo.args(self.arguments).current_dir(output::workspace()).env("RUSTDOCFLAGS", STRICT);
        // The output is kept; colours are for terminals.
        cargo.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
        output::announce(&cargo);
        let done = cargo.output().context("cargo cannot be started")?;
        let said = [done.stdout, done.stderr].concat();
        let differences = (!done.status.success())
            .then(|| format!("{}\n{}", done.status, String::from_utf8_lossy(&said).trim_end()))
            .into_iter()
            .collect();
        let strict =
            if self.arguments[0] == "doc" { format!("RUSTDOCFLAGS={STRICT} ") } else { String::new() };
        let command = format!("{strict}cargo {}", output::shell_line(self.arguments));
        let checked = Checked::of(self.name, Layer::Host, command, Verdict::of(differences));
        Ok(Checked { took: started.elapsed(), ..checked })
    }
}
