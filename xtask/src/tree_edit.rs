//! Edits of a device tree blob, as topologies list them: nodes and properties first by name, bytes
//! of the blob last, so that a broken tree is one that was right before.

use anyhow::{Context, Result, bail, ensure};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node, Property};
use serde::Deserialize;

/// One change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "edit", deny_unknown_fields)]
pub(crate) enum Edit {
    /// Gives a property 32-bit cells. The node must be there, here and below.
    SetCells { node: String, property: String, cells: Vec<Cell> },
    /// Gives a property texts, each with the zero byte after it.
    SetStrings { node: String, property: String, strings: Vec<String> },
    /// Gives a property these bytes.
    SetBytes { node: String, property: String, bytes: Vec<u8> },
    /// Deletes a property, which must be there.
    DeleteProperty { node: String, property: String },
    /// Adds an empty node below another.
    AddNode { node: String },
    /// Deletes a node, which must be there, and all below it.
    DeleteNode { node: String },
    /// Cuts the blob off after so many bytes, without touching the size in its header.
    Truncate { length: usize },
    /// Replaces bytes of the blob.
    Bytes { offset: usize, bytes: Vec<u8> },
    /// Replaces the token that begins a node by another value.
    BreakToken { node: String, token: u32 },
}

/// One cell of a property.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a cell: expected a number, or { phandle = \"/path/of/a/node\" }")]
pub(crate) enum Cell {
    /// As it is.
    Number(u32),
    /// The phandle of the node at this path; the node gets one if it has none.
    Phandle {
        /// Path of the node.
        phandle: String,
    },
}

/// The token that begins a node (Devicetree Specification 0.4, section 5.4.1).
const BEGIN_NODE: u32 = 1;

/// Applies `edits` in their order to a blob and gives the new one.
///
/// # Errors
///
/// The blob cannot be read, or an edit names what is not there.
pub(crate) fn apply(blob: &[u8], edits: &[Edit]) -> Result<Vec<u8>> {
    let fdt = Fdt::new(blob).map_err(|error| anyhow::anyhow!("the tree cannot be read: {error}"))?;
    let mut tree = DeviceTree::from_fdt(&fdt);
    let (by_name, by_byte): (Vec<&Edit>, Vec<&Edit>) = edits.iter().partition(|edit| edit.is_by_name());
    for edit in by_name {
        edit_tree(&mut tree, edit).with_context(|| format!("cannot apply: {edit}"))?;
    }
    let mut blob = tree.to_dtb();
    for edit in by_byte {
        edit_blob(&mut blob, edit).with_context(|| format!("cannot apply: {edit}"))?;
    }
    Ok(blob)
}

impl Edit {
    fn is_by_name(&self) -> bool {
        !matches!(self, Self::Truncate { .. } | Self::Bytes { .. } | Self::BreakToken { .. })
    }
}

fn edit_tree(tree: &mut DeviceTree, edit: &Edit) -> Result<()> {
    match edit {
        Edit::SetCells { node, property, cells } => {
            let bytes = encode(tree, cells)?;
            set(tree, node, property, bytes)?;
        }
        Edit::SetStrings { node, property, strings } => {
            let bytes = strings.iter().flat_map(|text| text.bytes().chain([0])).collect();
            set(tree, node, property, bytes)?;
        }
        Edit::SetBytes { node, property, bytes } => set(tree, node, property, bytes.clone())?,
        Edit::DeleteProperty { node, property } => {
            let removed = find(tree, node)?.remove_property(property);
            ensure!(removed.is_some(), "{node} has no property {property}");
        }
        Edit::AddNode { node } => {
            let (parent, name) = split(node)?;
            find(tree, parent)?.add_child(DeviceTreeNode::new(name)?);
        }
        Edit::DeleteNode { node } => {
            let (parent, name) = split(node)?;
            ensure!(find(tree, parent)?.remove_child(name).is_some(), "node {node} does not exist");
        }
        Edit::Truncate { .. } | Edit::Bytes { .. } | Edit::BreakToken { .. } => {
            bail!("this is an edit of the blob")
        }
    }
    Ok(())
}

fn edit_blob(blob: &mut Vec<u8>, edit: &Edit) -> Result<()> {
    let length = blob.len();
    match edit {
        Edit::Truncate { length: wanted } => {
            ensure!(*wanted < length, "the blob has only {length} bytes");
            blob.truncate(*wanted);
        }
        Edit::Bytes { offset, bytes } => {
            let place = offset.checked_add(bytes.len()).and_then(|end| blob.get_mut(*offset..end));
            place.with_context(|| format!("the blob has only {length} bytes"))?.copy_from_slice(bytes);
        }
        Edit::BreakToken { node, token } => {
            let (_, name) = split(node)?;
            let begin = [&BEGIN_NODE.to_be_bytes()[..], name.as_bytes(), &[0]].concat();
            let mut places = (0..length).step_by(4).filter(|at| blob[*at..].starts_with(&begin));
            let (place, further) = (places.next(), places.next());
            let place = place.with_context(|| format!("node {node} does not exist"))?;
            ensure!(further.is_none(), "there are several nodes {name}");
            blob[place..place + 4].copy_from_slice(&token.to_be_bytes());
        }
        _ => bail!("this is an edit of the tree"),
    }
    Ok(())
}

fn find<'t>(tree: &'t mut DeviceTree, path: &str) -> Result<&'t mut DeviceTreeNode> {
    tree.find_node_mut(path).with_context(|| format!("node {path} does not exist"))
}

/// A path as its parent's path and its last name.
fn split(path: &str) -> Result<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/').with_context(|| format!("{path} is not a path"))?;
    ensure!(!name.is_empty(), "{path} is not a node below the root");
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}

fn set(tree: &mut DeviceTree, node: &str, property: &str, bytes: Vec<u8>) -> Result<()> {
    let node = find(tree, node)?;
    match node.property_mut(property) {
        Some(property) => property.set_value(bytes),
        None => node.add_property(DeviceTreeProperty::new(property, bytes)?),
    }
    Ok(())
}

fn encode(tree: &mut DeviceTree, cells: &[Cell]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for cell in cells {
        let number = match cell {
            Cell::Number(number) => *number,
            Cell::Phandle { phandle } => phandle_of(tree, phandle)?,
        };
        bytes.extend(number.to_be_bytes());
    }
    Ok(bytes)
}

/// The phandle of the node at `path`; a new one if it has none.
fn phandle_of(tree: &mut DeviceTree, path: &str) -> Result<u32> {
    if let Some(phandle) = read_phandle(&*find(tree, path)?) {
        return Ok(phandle);
    }
    let free = highest_phandle(&tree.root).checked_add(1).context("no phandle is left")?;
    find(tree, path)?.add_property(DeviceTreeProperty::new("phandle", free.to_be_bytes().to_vec())?);
    Ok(free)
}

fn read_phandle(node: &DeviceTreeNode) -> Option<u32> {
    let property = node.property("phandle")?;
    property.value().try_into().ok().map(u32::from_be_bytes)
}

/// Depth is bounded by the reader, which refuses what is nested too deeply for it.
fn highest_phandle(node: &DeviceTreeNode) -> u32 {
    let below = node.children().map(highest_phandle).max().unwrap_or(0);
    below.max(read_phandle(node).unwrap_or(0))
}

mod text;

#[cfg(test)]
mod tests;
