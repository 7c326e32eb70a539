//! The same trees read by another crate.

use dtoolkit::fdt::Fdt;
use dtoolkit::{Node as _, Property as _};
use probe::{FirmwareMap, FwNode};

use crate::fixtures::ALL;
use crate::tree::read;

/// Paths in the order of the tree, with `compatible`.
fn walk<'a>(node: dtoolkit::fdt::FdtNode<'a>, path: &str, into: &mut Vec<(String, Vec<String>)>) {
    let compatible =
        node.property("compatible").map(|property| property.value().to_vec()).unwrap_or_default();
    let compatible = compatible.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    let compatible = compatible.map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
    into.push((if path.is_empty() { "/".into() } else { path.into() }, compatible));
    for child in node.children() {
        walk(child, &format!("{path}/{}", child.name()), into);
    }
}

#[test]
fn another_parser_sees_the_same_nodes_in_the_same_order() {
    for (name, blob) in ALL {
        let fdt = Fdt::new(blob).unwrap();
        let mut expected = Vec::new();
        walk(fdt.root(), "", &mut expected);
        let map = read(blob).map;
        let compatible = |node| map.compatible(node).map(String::from).collect();
        let found: Vec<_> =
            (0..map.node_count()).map(|node| (map.name(FwNode(node)), compatible(FwNode(node)))).collect();
        assert_eq!(found, expected, "{name}");
    }
}
