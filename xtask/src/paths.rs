//! The probe paths as the suite knows them: which Linux each is compared with, and what that one breaks.
//!
//! A machine for which Linux has been asked is booted on every path: see [`Paths::answered`].

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use report::Firmware;
use serde::Deserialize;

use crate::answer::LinuxAnswer;
use crate::choices;
use crate::expect::Expect;
use crate::outcome::Kind;
use crate::output;
use crate::topology::{Deviation, Topology};

/// `xtask/linux/paths.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Paths {
    /// Machines that are booted on every path of Linux through UEFI firmware too, which is slow.
    uefi_acpi: Vec<String>,
    #[serde(flatten, deserialize_with = "choices::table")]
    of: BTreeMap<probe::Path, Rules>,
}

/// What one path has to be like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Version of the Linux whose answers it gives.
    linux: String,
    /// Invariants that it breaks, if a machine does not say otherwise.
    breaks: Option<Vec<String>>,
    /// The same for machines that a tree describes.
    dt: Option<Deviation>,
    /// The same for machines that tables describe.
    acpi: Option<Deviation>,
}

/// The one of two that is for machines that are described so.
fn by<T>(firmware: Firmware, dt: Option<T>, acpi: Option<T>) -> Option<T> {
    if firmware.is_acpi() { acpi } else { dt }
}

impl Paths {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// It cannot be read, is malformed, or a path is missing.
    pub(crate) fn read() -> Result<Self> {
        let file = output::workspace().join("xtask/linux/paths.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let paths: Self =
            toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))?;
        for path in probe::Path::ALL {
            ensure!(paths.of.contains_key(&path), "{}: [{}] is missing", file.display(), path.word());
        }
        Ok(paths)
    }

    /// Version of the Linux that `path` is compared with.
    pub(crate) fn linux(&self, path: probe::Path) -> &str {
        &self.of[&path].linux
    }

    /// The paths of Linux, each with the routes on which that Linux has answered for a machine; none if it was not
    /// asked for a machine of this name.
    pub(crate) fn answered(&self, topology: &Topology) -> Vec<(probe::Path, Firmware)> {
        let is_asked = topology.path == probe::Path::Fixed && topology.firmware == Firmware::Dt;
        if !is_asked || topology.has_own_tree() {
            return Vec::new();
        }
        let all = probe::Path::ALL.into_iter().filter(|path| *path != probe::Path::Fixed);
        let all = all.flat_map(|path| {
            [Firmware::Dt, Firmware::Acpi, Firmware::UefiAcpi].map(|firmware| (path, firmware))
        });
        let is_wanted = |(path, firmware): &(probe::Path, Firmware)| {
            let is_slow = *firmware == Firmware::UefiAcpi && !self.uefi_acpi.contains(&topology.name);
            !is_slow && LinuxAnswer::exists(&topology.name, firmware.is_acpi(), self.linux(*path))
        };
        all.filter(is_wanted).collect()
    }

    /// What is expected of a machine on a path of Linux and a route on which that Linux has answered.
    ///
    /// What the machine itself is to be remarked for on `fixed` may be remarked here too. Nothing else is taken
    /// over: on these paths, the answer is Linux's, with all its defects.
    pub(crate) fn expect(&self, topology: &Topology, path: probe::Path, firmware: Firmware) -> Expect {
        let rules = &self.of[&path];
        let usual = by(firmware, rules.dt.as_ref(), rules.acpi.as_ref());
        let own = topology.paths.get(&path).cloned().unwrap_or_default();
        let narrow = by(firmware, own.dt, own.acpi).unwrap_or_default();
        let breaks = narrow.breaks.or(own.breaks);
        let breaks = breaks.or_else(|| usual.and_then(|usual| usual.breaks.clone()));
        let breaks = breaks.or_else(|| rules.breaks.clone()).unwrap_or_default();
        let on_fixed = topology.expected_by(firmware);
        Expect {
            linux: Some(topology.name.clone()),
            // What costs isolation by the machine's own fault costs it on each path.
            result: if breaks.is_empty() { on_fixed.result } else { Kind::Fail },
            breaks,
            warnings: [own.warnings, narrow.warnings].concat(),
            findings: [own.findings, narrow.findings].concat(),
            tolerated: on_fixed.findings.iter().chain(&on_fixed.tolerated).cloned().collect(),
            ..Expect::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, cases};

    /// The boots of such a topology on the paths of Linux.
    fn routes(name: &str, more: &str) -> Vec<Case> {
        let topology = Topology::parse(name, &format!("probes = \"x\"\n{more}")).unwrap();
        let mut all = cases(topology, &Paths::read().unwrap());
        all.retain(|case| case.path != probe::Path::Fixed);
        all
    }

    fn named<'a>(routes: &'a [Case], id: &str) -> &'a Case {
        routes.iter().find(|route| route.id == id).unwrap_or_else(|| panic!("no {id}"))
    }

    #[test]
    fn a_machine_that_linux_was_asked_for_is_booted_on_each_of_its_paths() {
        let names = |name| routes(name, "").into_iter().map(|route| route.id).collect::<Vec<_>>();
        assert_eq!(
            names("flat"),
            [
                "flat@upstream",
                "flat@upstream-acpi",
                "flat@regressed",
                "flat@regressed-acpi",
                "flat@legacy",
                "flat@legacy-acpi"
            ]
        );
        assert!(names("simple").contains(&"simple@legacy-uefi-acpi".to_owned()));
        assert_eq!(names("nobody-asked"), [""; 0]);
    }

    #[test]
    fn where_linux_did_not_get_so_far_there_is_nothing_to_compare_with() {
        let routes = routes("gic-v3-no-its", "");
        assert_eq!(routes.iter().filter(|route| route.firmware == Firmware::Acpi).count(), 0);
        assert_eq!(routes.iter().filter(|route| route.firmware == Firmware::Dt).count(), 3);
    }

    #[test]
    fn what_a_path_breaks_is_its_own_unless_the_machine_says_otherwise() {
        let usual = routes("flat", "");
        assert_eq!(named(&usual, "flat@upstream").expect.breaks, [""; 0]);
        assert_eq!(named(&usual, "flat@upstream").expect.result, Kind::Pass);
        assert!(named(&usual, "flat@regressed").expect.breaks.contains(&"I3".into()));
        assert!(!named(&usual, "flat@regressed-acpi").expect.breaks.contains(&"I3".into()));
        assert_eq!(named(&usual, "flat@regressed").expect.result, Kind::Fail);
        let other = routes("flat", "paths.legacy.breaks = []\npaths.regressed.dt.breaks = [\"I7\"]\n");
        assert_eq!(named(&other, "flat@legacy").expect.result, Kind::Pass);
        assert_eq!(named(&other, "flat@regressed").expect.breaks, ["I7"]);
        let [usual, other] =
            [usual, other].map(|all| named(&all, "flat@regressed-acpi").expect.breaks.clone());
        assert_eq!(usual, other);
    }

    #[test]
    fn what_a_machine_says_of_a_path_may_be_of_one_description_only() {
        let text = "paths.legacy.warnings = [\"both\"]\n\
                    paths.legacy.acpi = { warnings = [\"tables\"], findings = [[\"odd\"]] }\n";
        let routes = routes("flat", text);
        assert_eq!(named(&routes, "flat@legacy").expect.warnings, ["both"]);
        let by_tables = &named(&routes, "flat@legacy-acpi").expect;
        assert_eq!(
            (&by_tables.warnings[..], &by_tables.findings[..]),
            (&["both".into(), "tables".into()][..], &[vec!["odd".into()]][..])
        );
    }

    #[test]
    fn what_is_odd_about_the_machine_may_be_remarked_on_every_path() {
        let text = "[expect]\nfindings = [[\"of a tree\"]]\n[expect-acpi]\nfindings = [[\"of tables\"]]\n";
        let routes = routes("flat", text);
        assert_eq!(named(&routes, "flat@legacy").expect.tolerated, [["of a tree"]]);
        assert_eq!(named(&routes, "flat@legacy-acpi").expect.tolerated, [["of tables"]]);
    }
}
