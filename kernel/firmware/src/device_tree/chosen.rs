//! `/chosen`: command line and console (Devicetree Specification 0.4, section 3.6).

use alloc::format;
use alloc::string::String;

use probe::{Findings, Severity};

use super::address::registers;
use super::tree::{NodeIndex, Tree};
use crate::Console;

/// UARTs that have the PL011's data and flag registers; the SBSA's has nothing but these.
const PL011: [&str; 2] = ["arm,pl011", "arm,sbsa-uart"];

fn chosen(tree: &Tree) -> Option<NodeIndex> {
    tree.by_path("/chosen")
}

/// The kernel command line; empty if there is none.
pub(super) fn command_line(tree: &Tree, findings: &mut Findings) -> String {
    let Some(value) = chosen(tree).and_then(|chosen| tree.property(chosen, "bootargs")) else {
        return String::new();
    };
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    let text = String::from_utf8_lossy(&value[..end]);
    if matches!(text, alloc::borrow::Cow::Owned(_)) {
        let sentence = format!("not UTF-8; it is read as {text:?}");
        findings.add("bootargs-not-text", Severity::Warning, String::from("/chosen:bootargs"), sentence);
    }
    text.into_owned()
}

/// The console that `stdout-path` names: a path or an alias, and options behind a colon.
pub(super) fn console(tree: &Tree, findings: &mut Findings) -> Option<Console> {
    let chosen = chosen(tree)?;
    // The second name is from before the specification; Linux takes it as well (`of_alias_scan`).
    let path = tree.text(chosen, "stdout-path").or_else(|| tree.text(chosen, "linux,stdout-path"))?;
    let mut complain = |id, what: &str| {
        let sentence = format!("{path:?} {what}; there is no UART console");
        findings.add(id, Severity::Warning, String::from("/chosen:stdout-path"), sentence);
    };
    let target = path.split_once(':').map_or(path, |(path, _options)| path);
    let Some(node) = resolve(tree, target) else {
        complain("stdout-path-dangling", "does not refer to any node");
        return None;
    };
    let console = pl011(tree, node);
    if console.is_none() {
        complain("console-unknown", "is not a PL011 with registers that the CPU can reach");
    }
    console
}

/// The first usable console in the tree.
pub(super) fn first_console(tree: &Tree) -> Option<Console> {
    tree.nodes().filter(|node| tree.is_live(*node)).find_map(|node| pl011(tree, node))
}

fn pl011(tree: &Tree, node: NodeIndex) -> Option<Console> {
    if !tree.is_compatible(node, &PL011) {
        return None;
    }
    let registers = registers(tree, node).ok()?;
    registers.first().copied()?.ok().map(Console::Pl011)
}

/// The node at a path, whose first part may be an alias (section 3.3).
fn resolve(tree: &Tree, path: &str) -> Option<NodeIndex> {
    if path.starts_with('/') {
        return tree.by_path(path);
    }
    let (alias, rest) = path.split_once('/').unwrap_or((path, ""));
    let start = tree.text(tree.by_path("/aliases")?, alias)?;
    // An alias is a full path, never another alias.
    tree.by_path(&format!("{}/{rest}", start.strip_suffix('/').unwrap_or(start)))
}
