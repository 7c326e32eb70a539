//! Which checks the options ask for.

use super::checked::{Checked, Layer, Verdict};
use super::host::HostCheck;
use super::progress::failed_last_time;
use crate::case::{Case, cases};
use crate::cli::TestArgs;
use crate::outcome::Stop;
use crate::output;
use crate::paths::Paths;
use crate::topology::{Malformed, Topology};

/// Which checks are to run.
pub(super) struct Selection<'a> {
    options: &'a TestArgs,
    /// Only checks with these names; all, if none.
    failed: Option<Vec<String>>,
}

impl<'a> Selection<'a> {
    /// What the options select.
    ///
    /// # Errors
    ///
    /// They select what failed the last time, and nothing did.
    pub(super) fn of(options: &'a TestArgs) -> Result<Self, Stop> {
        let failed = options.failed.then(failed_last_time).transpose()?;
        Ok(Self { options, failed })
    }

    /// Whether a check other than the boot of a topology runs. It has neither a route nor a path.
    pub(super) fn has_check(&self, name: &str) -> bool {
        self.has_boot_named(name) && !self.has_axis()
    }

    /// Whether a check of the host runs.
    pub(super) fn has_host_check(&self, name: &str) -> bool {
        let TestArgs { filters, boot_only, .. } = self.options;
        match &self.failed {
            Some(failed) => !boot_only && failed.iter().any(|one| one == name),
            None => filters.is_empty() && !boot_only && !self.has_axis(),
        }
    }

    /// Whether the boots are selected by what only the boot of a topology has.
    fn has_axis(&self) -> bool {
        let TestArgs { firmware, path, iommu, .. } = self.options;
        !firmware.is_empty() || !path.is_empty() || iommu.is_some()
    }

    fn has_case(&self, case: &Case) -> bool {
        let TestArgs { firmware, path, iommu, .. } = self.options;
        self.has_boot_named(&case.id)
            && iommu.is_none_or(|iommu| iommu == case.iommu)
            && (firmware.is_empty() || firmware.contains(&case.firmware))
            && (path.is_empty() || path.contains(&case.path))
    }

    fn has_boot_named(&self, name: &str) -> bool {
        let TestArgs { filters, exact, host_only, .. } = self.options;
        let is_like = |word: &String| if *exact { name == word } else { name.contains(word) };
        let is_named = match &self.failed {
            Some(failed) => failed.iter().any(|one| one == name),
            None => filters.is_empty() || filters.iter().any(is_like),
        };
        is_named && !host_only
    }
}

/// The boots that are selected, and the files that are malformed.
pub(super) fn wanted(
    all: Vec<Result<Topology, Malformed>>,
    selection: &Selection<'_>,
    paths: &Paths,
) -> (Vec<Case>, Vec<Malformed>) {
    let (mut wanted, mut malformed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(topology) => {
                wanted.extend(cases(topology, paths).into_iter().filter(|case| selection.has_case(case)));
            }
            Err(error) if selection.has_check(&error.name) => malformed.push(error),
            _ => (),
        }
    }
    (wanted, malformed)
}

/// The failed check that a malformed file is.
pub(super) fn of_malformed(malformed: Malformed) -> Checked {
    let command = output::shell_line(["cargo", "xtask", "qemu", "--topology", &malformed.name]);
    Checked::of(malformed.name, Layer::Boot, command, Verdict::Failed(vec![malformed.why]))
}

/// Prints a line for each check.
pub(super) fn list(checks: &[&HostCheck], cases: &[Case], malformed: &[Malformed]) {
    for check in checks {
        println!("host {}: cargo {}", check.name, output::shell_line(check.arguments));
    }
    for case in cases {
        println!("boot {}: {}", case.id, case.topology.probes);
    }
    for one in malformed {
        println!("boot {}: {}", one.name, one.why.replace('\n', " "));
    }
}
