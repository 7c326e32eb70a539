//! The results of a run of the suite as they are kept, for scripts and for the page of the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::output;

/// The schema of [`Results`].
pub(crate) const SCHEMA: &str = "iogroups-test/1";

/// Name of the file in the directory of the logs.
pub(crate) const FILE: &str = "results.json";

/// A run: the JSON form of `cargo xtask test`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) schema: String,
    /// The verdict's word.
    pub(crate) result: String,
    pub(crate) exit_status: u8,
    /// Version of the first QEMU.
    pub(crate) qemu: Option<String>,
    /// Versions of all.
    pub(crate) qemus: Vec<String>,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Number of skipped checks by their reason.
    pub(crate) skipped_reasons: BTreeMap<String, usize>,
    /// When the run began, in seconds since 1970.
    pub(crate) began: u64,
    /// From the beginning to the end.
    pub(crate) seconds: f64,
    /// What the boots took; none if nothing was booted.
    pub(crate) boots: Option<BootTimes>,
    pub(crate) tests: Vec<Test>,
}

/// What the boots of a run took, to be compared with what their QEMUs alone take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct BootTimes {
    /// How many there were.
    pub(crate) count: usize,
    /// From the start of the first to the end of the last.
    pub(crate) seconds: f64,
    /// What their QEMUs take, if all CPUs that the run used always run one.
    pub(crate) qemu_seconds: f64,
    /// What a boot took beside its QEMU, on average, in milliseconds.
    pub(crate) overhead_ms: f64,
}

/// One check.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Test {
    /// Its name; with several QEMUs, followed by the version.
    pub(crate) name: String,
    /// `host` or `boot`.
    pub(crate) layer: String,
    pub(crate) result: Ending,
    pub(crate) seconds: f64,
    /// What to paste to get the same.
    pub(crate) command: String,
    /// The command that checks it again.
    pub(crate) repeat: String,
    pub(crate) differences: Vec<String>,
    /// Why it was skipped.
    pub(crate) reason: Option<String>,
    /// Version of the QEMU.
    pub(crate) qemu: Option<String>,
    /// The boot that it was, if it was one of a topology.
    pub(crate) boot: Option<BootFacts>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    Pass,
    Fail,
    Skip,
}

/// One boot of a topology: where it is in the matrix, and what is kept of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct BootFacts {
    pub(crate) topology: String,
    /// What the machine shows.
    pub(crate) probes: String,
    /// The route.
    pub(crate) firmware: String,
    pub(crate) path: String,
    /// `on` or `off`.
    pub(crate) iommu: String,
    /// The order of devices and drivers, if it is not Linux's.
    pub(crate) order: Option<String>,
    /// What QEMU took of the time of the check.
    pub(crate) qemu_seconds: f64,
    /// File of the log; a relative path begins in the directory of the results, as that of the report.
    pub(crate) log: Option<PathBuf>,
    /// File of the report.
    pub(crate) report: Option<PathBuf>,
}

/// Where the logs, the reports and the results of a run are kept if no other place is named.
pub(crate) fn usual_directory() -> PathBuf {
    output::workspace().join("target/test-logs")
}

impl Results {
    /// Reads the results in a file.
    ///
    /// # Errors
    ///
    /// There is no such file, or it is something else.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let results: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} does not contain results of a run", file.display()))?;
        ensure!(results.schema == SCHEMA, "{}: schema {}, not {SCHEMA}", file.display(), results.schema);
        Ok(results)
    }
}

impl BootTimes {
    /// The boots of some more machines.
    pub(crate) fn add(&mut self, more: Self) {
        let overhead = self.overhead_ms * as_f64(self.count) + more.overhead_ms * as_f64(more.count);
        self.count += more.count;
        self.overhead_ms = overhead / as_f64(self.count.max(1));
        self.seconds += more.seconds;
        self.qemu_seconds += more.qemu_seconds;
    }

    /// How much longer the boots took than their QEMUs.
    pub(crate) fn ratio(&self) -> f64 {
        if self.qemu_seconds > 0.0 { self.seconds / self.qemu_seconds } else { 1.0 }
    }
}

/// A number of boots in a mean.
fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
