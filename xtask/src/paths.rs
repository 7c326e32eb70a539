//! The probe paths as the suite knows them: which Linux each is compared with, and what that one breaks.
//!
//! A machine for which Linux has been asked is booted on every path: see [`Paths::routes`].

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cli::{Firmware, ProbePath};
use crate::linux::Answer;
use crate::outcome::Kind;
use crate::output;
use crate::topology::{Expect, Topology};

/// `xtask/linux/paths.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Paths {
    /// Machines that are booted on every path of Linux by way of UEFI firmware too, which is slow.
    uefi_acpi: Vec<String>,
    #[serde(flatten)]
    of: BTreeMap<ProbePath, Rules>,
}

/// What one path has to be like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Version of the Linux whose answers it gives.
    linux: String,
    /// Invariants that it breaks, if a machine does not say otherwise.
    #[serde(default)]
    breaks: Breaks,
}

/// Invariants that a path breaks, by number: `I2`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Breaks {
    /// However the machine is described.
    Always(Vec<String>),
    /// By what describes it.
    By {
        #[serde(default)]
        dt: Vec<String>,
        #[serde(default)]
        acpi: Vec<String>,
    },
}

impl Default for Breaks {
    fn default() -> Self {
        Self::Always(Vec::new())
    }
}

impl Breaks {
    fn on(&self, firmware: Firmware) -> &[String] {
        match self {
            Self::Always(breaks) => breaks,
            Self::By { acpi, .. } if firmware.is_acpi() => acpi,
            Self::By { dt, .. } => dt,
        }
    }
}

/// What a topology says of one path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnPath {
    /// In place of the path's own.
    breaks: Breaks,
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
        for path in ProbePath::ALL {
            ensure!(paths.of.contains_key(&path), "{}: [{}] is missing", file.display(), path.word());
        }
        Ok(paths)
    }

    /// Version of the Linux that `path` is compared with.
    pub(crate) fn linux(&self, path: ProbePath) -> &str {
        &self.of[&path].linux
    }

    /// The topology once for each path of Linux and each description of the machine for which that Linux has
    /// answered; nothing if it has not been asked for a machine of this name.
    ///
    /// What the machine itself is to be remarked for on `fixed` may be remarked here too. Nothing else is taken
    /// over: on these paths, the answer is Linux's, with all its defects.
    pub(crate) fn routes(&self, topology: &Topology) -> Vec<Topology> {
        if topology.path != ProbePath::Fixed || topology.firmware != Firmware::Dt || !topology.tree.is_empty()
        {
            return Vec::new();
        }
        let mut routes = Vec::new();
        for path in ProbePath::ALL.into_iter().filter(|path| *path != ProbePath::Fixed) {
            for firmware in [Firmware::Dt, Firmware::Acpi, Firmware::UefiAcpi] {
                let is_wanted = firmware != Firmware::UefiAcpi || self.uefi_acpi.contains(&topology.name);
                if is_wanted && Answer::exists(&topology.name, firmware.is_acpi(), self.linux(path)) {
                    routes.push(self.route(topology, path, firmware));
                }
            }
        }
        routes
    }

    fn route(&self, topology: &Topology, path: ProbePath, firmware: Firmware) -> Topology {
        let breaks = topology.paths.get(&path).map_or(&self.of[&path].breaks, |own| &own.breaks).on(firmware);
        let on_fixed = match &topology.expect_acpi {
            Some(expect) if firmware.is_acpi() => expect,
            _ => &topology.expect,
        };
        let suffix = match firmware {
            Firmware::Dt => String::new(),
            other => format!("-{}", other.word()),
        };
        let expect = Expect {
            linux: Some(topology.name.clone()),
            result: if breaks.is_empty() { Kind::Pass } else { Kind::Fail },
            breaks: breaks.to_vec(),
            tolerated: on_fixed.findings.iter().chain(&on_fixed.tolerated).cloned().collect(),
            ..Expect::default()
        };
        Topology {
            name: format!("{}@{}{suffix}", topology.name, path.word()),
            path,
            firmware,
            expect,
            ..topology.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(name: &str, more: &str) -> Vec<Topology> {
        let topology = Topology::parse(name, &format!("probes = \"x\"\n{more}")).unwrap();
        Paths::read().unwrap().routes(&topology)
    }

    fn named<'a>(routes: &'a [Topology], name: &str) -> &'a Topology {
        routes.iter().find(|route| route.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn a_machine_that_linux_was_asked_for_is_booted_on_each_of_its_paths() {
        let names = |name| routes(name, "").into_iter().map(|route| route.name).collect::<Vec<_>>();
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
        let other = routes("flat", "paths = { legacy.breaks = [], regressed.breaks = { dt = [\"I7\"] } }");
        assert_eq!(named(&other, "flat@legacy").expect.result, Kind::Pass);
        assert_eq!(named(&other, "flat@regressed").expect.breaks, ["I7"]);
        assert_eq!(named(&other, "flat@regressed-acpi").expect.breaks, [""; 0]);
    }

    #[test]
    fn what_is_odd_about_the_machine_may_be_remarked_on_every_path() {
        let text = "[expect]\nfindings = [[\"of a tree\"]]\n[expect-acpi]\nfindings = [[\"of tables\"]]\n";
        let routes = routes("flat", text);
        assert_eq!(named(&routes, "flat@legacy").expect.tolerated, [["of a tree"]]);
        assert_eq!(named(&routes, "flat@legacy-acpi").expect.tolerated, [["of tables"]]);
    }
}
