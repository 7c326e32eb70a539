//! Expectations that depend on QEMU: `[[when]]` in a topology, and `xtask/qemu.toml` for all of them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use dtoolkit::Node;
use dtoolkit::fdt::Fdt;
use dtoolkit::model::DeviceTree;
use report::GroupType;
use serde::Deserialize;

use crate::capabilities::Capabilities;
use crate::cli::{Firmware, ProbePath};
use crate::outcome::Kind;
use crate::output;
use crate::requirement::Requirement;
use crate::topology::{Expect, Reasons};

/// A change of what is expected, where all conditions hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// What QEMU has.
    #[serde(default)]
    pub(crate) has: Vec<Requirement>,
    /// What QEMU does not have.
    #[serde(default)]
    pub(crate) lacks: Vec<Requirement>,
    /// A property that QEMU's own device tree of the machine has, as `/path/of/node:property`.
    pub(crate) tree: Option<TreeProperty>,
    /// Routes to a description of the machine.
    pub(crate) firmware: Option<Vec<Firmware>>,
    /// Probe paths.
    pub(crate) path: Option<Vec<ProbePath>>,
    /// What this QEMU does otherwise, and which versions were tried.
    why: String,
    expect: Change,
}

/// A property of a device tree.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TreeProperty {
    node: String,
    property: String,
}

/// What takes the place of the same fields of [`Expect`]; tables and lists of remarks are added to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    linux: Option<String>,
    result: Option<Kind>,
    breaks: Option<Vec<String>>,
    #[serde(rename = "type")]
    kind: Option<GroupType>,
    reserved: Option<Vec<String>>,
    groups: Option<Vec<Vec<String>>>,
    #[serde(default)]
    without: BTreeMap<String, Reasons>,
    #[serde(default)]
    drivers: BTreeMap<String, String>,
    iommus: Option<Vec<String>>,
    /// Added to those of every QEMU.
    #[serde(default)]
    findings: Vec<Vec<String>>,
    /// Added to those of every QEMU.
    #[serde(default)]
    warnings: Vec<String>,
}

/// `xtask/qemu.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAll {
    #[serde(default)]
    when: Vec<When>,
}

impl When {
    /// Those that every topology is subject to.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is malformed.
    pub(crate) fn of_all() -> Result<Vec<Self>> {
        let file = output::workspace().join("xtask/qemu.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let of_all: OfAll =
            toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))?;
        Ok(of_all.when)
    }

    /// Everything that QEMU must be asked about.
    pub(crate) fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.has.iter().chain(&self.lacks)
    }

    /// The Linux answer that is expected instead, if one is.
    #[cfg(test)]
    pub(crate) fn linux(&self) -> Option<&str> {
        self.expect.linux.as_deref()
    }

    /// Whether this is about a boot on this route, this path and this QEMU. `tree` gives QEMU's own device tree,
    /// and is called only where it matters.
    ///
    /// # Errors
    ///
    /// There is no tree, or it cannot be read.
    fn holds(
        &self,
        firmware: Firmware,
        path: ProbePath,
        qemu: &Capabilities,
        tree: &mut dyn FnMut() -> Result<Vec<u8>>,
    ) -> Result<bool> {
        let is_meant = self.firmware.as_ref().is_none_or(|routes| routes.contains(&firmware))
            && self.path.as_ref().is_none_or(|paths| paths.contains(&path))
            && self.has.iter().all(|one| qemu.lacks(one).is_none())
            && self.lacks.iter().all(|one| qemu.lacks(one).is_some());
        match &self.tree {
            Some(property) if is_meant => property.is_in(&tree()?),
            _ => Ok(is_meant),
        }
    }

    /// What is expected of a boot on this route, this path and this QEMU.
    ///
    /// # Errors
    ///
    /// As [`Self::holds`].
    pub(crate) fn expected<'a>(
        changes: impl IntoIterator<Item = &'a Self>,
        mut expect: Expect,
        (firmware, path): (Firmware, ProbePath),
        qemu: &Capabilities,
        tree: &mut dyn FnMut() -> Result<Vec<u8>>,
    ) -> Result<Expect> {
        for when in changes {
            if when.holds(firmware, path, qemu, tree).with_context(|| format!("when {}", when.why))? {
                when.expect.apply(&mut expect);
            }
        }
        Ok(expect)
    }
}

impl Change {
    fn apply(&self, expect: &mut Expect) {
        let change = self.clone();
        expect.linux = change.linux.or(expect.linux.take());
        expect.result = change.result.unwrap_or(expect.result);
        expect.kind = change.kind.or(expect.kind);
        expect.reserved = change.reserved.or(expect.reserved.take());
        expect.iommus = change.iommus.or(expect.iommus.take());
        if let Some(groups) = change.groups {
            expect.groups = groups;
        }
        if let Some(breaks) = change.breaks {
            expect.breaks = breaks;
        }
        expect.without.extend(change.without);
        expect.drivers.extend(change.drivers);
        expect.findings.extend(change.findings);
        expect.warnings.extend(change.warnings);
    }
}

impl TryFrom<String> for TreeProperty {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some((node, property)) if node.starts_with('/') && !property.is_empty() => {
                Ok(Self { node: node.into(), property: property.into() })
            }
            _ => Err(format!("{text:?}: expected /path/of/node:property")),
        }
    }
}

impl TreeProperty {
    fn is_in(&self, blob: &[u8]) -> Result<bool> {
        let fdt = Fdt::new(blob).map_err(|error| anyhow::anyhow!("QEMU's tree cannot be read: {error}"))?;
        let tree = DeviceTree::from_fdt(&fdt);
        Ok(tree.find_node(&self.node).is_some_and(|node| node.property(&self.property).is_some()))
    }
}
