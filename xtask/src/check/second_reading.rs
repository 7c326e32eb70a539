//! A second reading of device trees, by another parser and with rules of its own, to compare with ours.
//!
//! The `fdt` crate panics on trees that are malformed; it gets those alone in which we find no fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fdt::Fdt;
use fdt::node::FdtNode;

use super::input::{Content, of_package};
use super::machine::Machine;
use super::tree;
use crate::outcome::Stop;

/// What came of all trees of a package.
#[derive(Debug, Default)]
pub(crate) struct SecondReading {
    pub(crate) trees: usize,
    pub(crate) entries: usize,
    /// What the two readings do not agree on.
    pub(crate) differences: Vec<String>,
}

impl SecondReading {
    /// Reads all trees of a kernel's package twice.
    ///
    /// # Errors
    ///
    /// The package cannot be read.
    pub(crate) fn of_trees(package: &Path) -> Result<Self, Stop> {
        let name = package.display().to_string();
        let bytes = fs::read(package).map_err(|error| Stop::unable(format!("{name}: {error}")))?;
        let mut result = Self::default();
        for input in of_package(&name, &bytes)? {
            let Content::Tree(blob) = &input.content else {
                result.differences.push(format!("{}: it is not recognised as a device tree", input.name));
                continue;
            };
            result.trees += 1;
            let ours = tree::machine(&input.name, blob);
            result.entries += ours.iommus.iter().map(|iommu| iommu.entries.len()).sum::<usize>();
            let found = ours.findings.iter().filter(|finding| finding.severity == "error");
            result.differences.extend(found.map(|finding| format!("{}: {}", input.name, finding.sentence)));
            match compare(&ours, blob) {
                Ok(differences) => {
                    result
                        .differences
                        .extend(differences.into_iter().map(|one| format!("{}: {one}", input.name)));
                }
                Err(error) => result.differences.push(format!("{}: the other parser: {error}", input.name)),
            }
        }
        Ok(result)
    }
}

/// An entry in both readings: device, property and number, target, input IDs, specifier.
type Entry = (String, String, String, Option<[u32; 2]>, Vec<u32>);

/// What our reading of a tree and the other one do not agree on.
fn compare(ours: &Machine, blob: &[u8]) -> Result<Vec<String>, String> {
    let expected = entries(blob)?;
    let mut differences = Vec::new();
    let mut found = BTreeSet::new();
    for iommu in &ours.iommus {
        for entry in &iommu.entries {
            let input = entry.input.map(|input| input.map(|number| number.0));
            let cells: Vec<u32> = entry.cells.iter().map(|cell| cell.0).collect();
            // The bytes at the offset are the entry's: base, phandle, specifier or phandle, specifier.
            let start = input.map_or(entry.offset.0 + 4, |_| entry.offset.0 + 8);
            let there: Vec<u32> = (0..cells.len()).filter_map(|at| word(blob, start + 4 * at)).collect();
            if there != cells {
                differences
                    .push(format!("{} {}: {} has {there:x?}", entry.device, entry.place, entry.offset));
            }
            found.insert((entry.device.clone(), entry.place.clone(), iommu.name.clone(), input, cells));
        }
    }
    differences.extend(found.difference(&expected).map(|one| format!("only here: {one:x?}")));
    differences.extend(expected.difference(&found).map(|one| format!("not here: {one:x?}")));
    Ok(differences)
}

fn word(blob: &[u8], at: usize) -> Option<u32> {
    blob.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// All entries of a tree, as another parser sees its nodes.
fn entries(blob: &[u8]) -> Result<BTreeSet<Entry>, String> {
    let fdt = Fdt::new(blob).map_err(|error| format!("{error:?}"))?;
    let mut nodes = Vec::new();
    walk(fdt.find_node("/").ok_or("there is no root")?, "", &mut nodes);
    let mut phandles = BTreeMap::new();
    for (path, node) in &nodes {
        if let Some([phandle, ..]) = cells(node, "phandle").as_deref() {
            phandles.entry(*phandle).or_insert((path, node));
        }
    }
    let target = |phandle: u32| phandles.get(&phandle).ok_or(format!("no node has phandle {phandle:#x}"));
    let mut entries = BTreeSet::new();
    for (path, node) in &nodes {
        let mut rest = cells(node, "iommus").unwrap_or_default();
        for number in 0.. {
            let Some(phandle) = rest.first().copied() else { break };
            let (iommu, target) = target(phandle)?;
            let count = cells(target, "#iommu-cells").and_then(|cells| cells.first().copied()).unwrap_or(0);
            let end = rest.len().min(1 + count as usize);
            let specifier = rest[1..end].to_vec();
            entries.insert((path.clone(), format!("iommus[{number}]"), (*iommu).clone(), None, specifier));
            rest.drain(..end);
        }
        // Trees of packages are from a time when every entry had four cells.
        for (number, entry) in cells(node, "iommu-map").unwrap_or_default().chunks(4).enumerate() {
            let [base, phandle, output, length] = entry else {
                return Err(format!("{path}: iommu-map is cut"));
            };
            let (iommu, _) = target(*phandle)?;
            let input = Some([*base, base.wrapping_add(length.saturating_sub(1))]);
            let place = format!("iommu-map[{number}]");
            entries.insert((path.clone(), place, (*iommu).clone(), input, vec![*output]));
        }
    }
    Ok(entries)
}

fn walk<'b, 'a>(node: FdtNode<'b, 'a>, path: &str, into: &mut Vec<(String, FdtNode<'b, 'a>)>) {
    into.push((if path.is_empty() { "/".into() } else { path.into() }, node));
    for child in node.children() {
        walk(child, &format!("{path}/{}", child.name), into);
    }
}

fn cells(node: &FdtNode, name: &str) -> Option<Vec<u32>> {
    let property = node.property(name)?;
    let cells = property.value.as_chunks::<4>().0;
    Some(cells.iter().map(|cell| u32::from_be_bytes(*cell)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_misses_an_entry_or_invents_one_is_seen() {
        let place = crate::output::workspace().join("kernel/firmware/tests/fixtures/iommu.dtb");
        let blob = fs::read(place).unwrap();
        let mut ours = tree::machine("iommu.dtb", &blob);
        assert_eq!(compare(&ours, &blob), Ok(Vec::new()));
        ours.iommus[0].entries[0].offset.0 += 4;
        assert_eq!(compare(&ours, &blob).unwrap().len(), 1);
        ours.iommus[0].entries.remove(0);
        assert_eq!(compare(&ours, &blob).unwrap().len(), 1);
        ours.iommus[0].entries[0].device = "/elsewhere".into();
        assert_eq!(compare(&ours, &blob).unwrap().len(), 3);
    }
}
