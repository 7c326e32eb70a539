//! Expectations that depend on QEMU: `[[when]]` in a topology, and `xtask/qemu.toml` for all of them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use dtoolkit::Node;
use dtoolkit::fdt::Fdt;
use dtoolkit::model::DeviceTree;
use report::{Firmware, GroupType};
use serde::Deserialize;

use crate::capabilities::Capabilities;
use crate::choices;
use crate::expect::Expect;
use crate::outcome::Kind;
use crate::output;
use crate::requirement::Requirement;

/// A change of what is expected, where all conditions hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct When {
    /// What QEMU has.
    #[serde(default)]
    has: Vec<Requirement>,
    /// What QEMU does not have.
    #[serde(default)]
    lacks: Vec<Requirement>,
    /// A property that QEMU's own device tree of the machine has, as `/path/of/node:property`.
    tree_has: Option<TreeProperty>,
    /// One that it does not have.
    tree_lacks: Option<TreeProperty>,
    /// Routes to a description of the machine; all, if none.
    #[serde(default, deserialize_with = "choices::list")]
    firmware: Option<Vec<Firmware>>,
    /// Probe paths; all, if none.
    #[serde(default, deserialize_with = "choices::list")]
    path: Option<Vec<probe::Path>>,
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
    /// `-` if no answer of Linux counts.
    linux: Option<String>,
    result: Option<Kind>,
    /// Added to those of every QEMU.
    #[serde(default)]
    because: Vec<Vec<String>>,
    breaks: Option<Vec<String>>,
    #[serde(rename = "type")]
    kind: Option<GroupType>,
    reserved: Option<Vec<String>>,
    groups: Option<Vec<Vec<String>>>,
    #[serde(default)]
    without: BTreeMap<String, String>,
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

/// Stands for a machine of which no answer of Linux counts.
const NO_ANSWER: &str = "-";

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

    /// What is expected of a boot on this route, this path and this QEMU, beginning with what is expected of every
    /// QEMU; and why that was changed. `tree` gives QEMU's own device tree, and is called at most once, where it
    /// matters.
    ///
    /// # Errors
    ///
    /// There is no tree, or it cannot be read.
    pub(crate) fn expected<'a>(
        changes: impl IntoIterator<Item = &'a Self>,
        mut expect: Expect,
        route: (Firmware, probe::Path),
        qemu: &Capabilities,
        tree: impl Fn() -> Result<Vec<u8>>,
    ) -> Result<(Expect, Vec<&'a str>)> {
        let (mut own_tree, mut reasons) = (None, Vec::new());
        for when in changes.into_iter().filter(|when| when.is_about(route, qemu)) {
            if own_tree.is_none() && (when.tree_has.is_some() || when.tree_lacks.is_some()) {
                own_tree = Some(read_tree(&tree()?)?);
            }
            if own_tree.as_ref().is_none_or(|tree| when.is_about_tree(tree)) {
                when.expect.apply(&mut expect);
                reasons.push(when.why.as_str());
            }
        }
        Ok((expect, reasons))
    }

    /// Whether all conditions but those on the tree hold.
    fn is_about(&self, (firmware, path): (Firmware, probe::Path), qemu: &Capabilities) -> bool {
        self.firmware.as_ref().is_none_or(|routes| routes.contains(&firmware))
            && self.path.as_ref().is_none_or(|paths| paths.contains(&path))
            && self.has.iter().all(|one| qemu.lacks(one).is_none())
            && self.lacks.iter().all(|one| qemu.lacks(one).is_some())
    }

    /// Whether the conditions on the tree hold.
    fn is_about_tree(&self, tree: &DeviceTree) -> bool {
        self.tree_has.as_ref().is_none_or(|property| property.is_in(tree))
            && self.tree_lacks.as_ref().is_none_or(|property| !property.is_in(tree))
    }
}

fn read_tree(blob: &[u8]) -> Result<DeviceTree> {
    let fdt = Fdt::new(blob).map_err(|error| anyhow::anyhow!("QEMU's tree cannot be read: {error}"))?;
    Ok(DeviceTree::from_fdt(&fdt))
}

impl Change {
    fn apply(&self, expect: &mut Expect) {
        let change = self.clone();
        expect.linux = change.linux.or(expect.linux.take()).filter(|machine| machine != NO_ANSWER);
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
        expect.because.extend(change.because);
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
    fn is_in(&self, tree: &DeviceTree) -> bool {
        tree.find_node(&self.node).is_some_and(|node| node.property(&self.property).is_some())
    }
}

#[cfg(test)]
mod tests {
    use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};

    use super::*;

    const FIXED_DT: (Firmware, probe::Path) = (Firmware::Dt, probe::Path::Fixed);

    fn changes(text: &str) -> Vec<When> {
        toml::from_str::<OfAll>(text).unwrap().when
    }

    fn no_tree() -> Result<Vec<u8>> {
        panic!("the tree does not matter here")
    }

    fn tree_with_map() -> Result<Vec<u8>> {
        let mut tree = DeviceTree::new();
        let mut pcie = DeviceTreeNode::new("pcie@10000000")?;
        pcie.add_property(DeviceTreeProperty::new("iommu-map", vec![0_u8; 16])?);
        tree.root.add_child(pcie);
        Ok(tree.to_dtb())
    }

    #[test]
    fn our_file_is_well_formed() {
        assert!(!When::of_all().unwrap().is_empty());
    }

    #[test]
    fn a_change_is_made_where_all_its_conditions_hold() {
        let text = "[[when]]\nhas = [\"qemu < 8\"]\nfirmware = [\"acpi\"]\npath = [\"legacy\"]\nwhy = \"\"\n\
                    expect = { findings = [[\"odd\"]] }\n";
        let text = [text, &text.replace("has", "lacks").replace("odd", "new")].concat();
        let changes = changes(&text);
        let findings = |route| {
            let qemu = Capabilities::default();
            When::expected(&changes, Expect::default(), route, &qemu, no_tree).unwrap().0.findings
        };
        assert_eq!(findings((Firmware::Acpi, probe::Path::Legacy)), [["odd"]]);
        assert!(findings((Firmware::Acpi, probe::Path::Fixed)).is_empty());
        assert!(findings((Firmware::Dt, probe::Path::Legacy)).is_empty());
    }

    #[test]
    fn what_qemus_own_tree_has_is_a_condition() {
        let text = "[[when]]\ntree-has = \"/pcie@10000000:iommu-map\"\nwhy = \"10.0\"\nexpect = { linux = \"a\" }\n\
                    [[when]]\ntree-lacks = \"/pcie@10000000:msi-map\"\nwhy = \"\"\nexpect = { warnings = [\"b\"] }\n\
                    [[when]]\ntree-lacks = \"/pcie@10000000:iommu-map\"\nwhy = \"\"\nexpect = { linux = \"c\" }\n\
                    [[when]]\ntree-has = \"/none:iommu-map\"\nwhy = \"\"\nexpect = { linux = \"d\" }\n";
        let (changes, qemu) = (changes(text), Capabilities::default());
        let expect = |tree: fn() -> Result<Vec<u8>>| {
            When::expected(&changes, Expect::default(), FIXED_DT, &qemu, tree)
        };
        let (with_map, reasons) = expect(tree_with_map).unwrap();
        assert_eq!(reasons, ["10.0", ""]);
        assert_eq!((with_map.linux.as_deref(), &with_map.warnings[..]), (Some("a"), &["b".into()][..]));
        assert!(expect(|| Ok(vec![0; 8])).is_err());
    }

    #[test]
    fn a_change_replaces_values_and_adds_to_tables_and_remarks() {
        let text = "[[when]]\nwhy = \"\"\n[when.expect]\nresult = \"fail\"\nbreaks = [\"I2\"]\n\
                    groups = [[\"b\"]]\nwithout.x = \"new\"\nfindings = [[\"second\"]]\n";
        let before: Expect = toml::from_str(
            "groups = [[\"a\"], [\"b\"]]\nwithout = { x = \"old\", y = \"old\" }\nfindings = [[\"first\"]]\n",
        )
        .unwrap();
        let qemu = Capabilities::default();
        let (expect, _) = When::expected(&changes(text), before, FIXED_DT, &qemu, no_tree).unwrap();
        assert_eq!((expect.result, &expect.breaks[..]), (Kind::Fail, &["I2".to_owned()][..]));
        assert_eq!(expect.groups, [["b"]]);
        assert_eq!(expect.findings, [["first"], ["second"]]);
        let without: Vec<(&str, &str)> =
            expect.without.iter().map(|(name, reason)| (name.as_str(), reason.as_str())).collect();
        assert_eq!(without, [("x", "new"), ("y", "old")]);
    }

    #[test]
    fn a_change_without_a_reason_or_with_a_misspelt_condition_is_refused() {
        let refused = |text: &str| toml::from_str::<OfAll>(text).is_err();
        assert!(refused("[[when]]\nexpect = {}\n"));
        assert!(refused("[[when]]\nwhy = \"\"\nhave = []\nexpect = {}\n"));
        assert!(refused("[[when]]\nwhy = \"\"\ntree-has = \"iommu-map\"\nexpect = {}\n"));
    }
}
