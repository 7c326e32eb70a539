//! Which checks the options ask for.

use std::time::Duration;

use super::checked::{Checked, Layer, Verdict};
use super::host::HostCheck;
use crate::case::{Case, cases};
use crate::cli::TestArgs;
use crate::output;
use crate::paths::Paths;
use crate::topology::{Malformed, Topology};

/// Whether the options ask for the boot of this name.
pub(super) fn is_wanted(options: &TestArgs, name: &str) -> bool {
    !options.host_only
        && (options.filters.is_empty() || options.filters.iter().any(|word| name.contains(word)))
}

/// The boots that the options ask for, and the files that are malformed.
pub(super) fn wanted(
    all: Vec<Result<Topology, Malformed>>,
    options: &TestArgs,
    paths: &Paths,
) -> (Vec<Case>, Vec<Malformed>) {
    let is_wanted = |name: &str| is_wanted(options, name);
    let (mut wanted, mut malformed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(topology) => {
                wanted.extend(cases(topology, paths).into_iter().filter(|case| is_wanted(&case.id)));
            }
            Err(error) if is_wanted(&error.name) => malformed.push(error),
            _ => (),
        }
    }
    (wanted, malformed)
}

/// The failed check that a malformed file is.
pub(super) fn of_malformed(malformed: Malformed) -> Checked {
    Checked {
        command: format!("cargo xtask qemu --topology {}", malformed.name),
        name: malformed.name,
        layer: Layer::Boot,
        took: Duration::ZERO,
        verdict: Verdict::Failed(vec![malformed.why]),
    }
}

/// Prints a line for each check.
pub(super) fn list(checks: &[HostCheck], cases: &[Case], malformed: &[Malformed]) {
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
