use super::*;

/// Two nodes with phandles, one without.
fn blob() -> Vec<u8> {
    let mut tree = DeviceTree::new();
    for (name, phandle) in [("iommu@1", Some(7u32)), ("pcie@2", None)] {
        let mut node = DeviceTreeNode::new(name).unwrap();
        node.add_property(DeviceTreeProperty::new("status", "okay").unwrap());
        if let Some(phandle) = phandle {
            node.add_property(DeviceTreeProperty::new("phandle", phandle.to_be_bytes().to_vec()).unwrap());
        }
        tree.root.add_child(node);
    }
    tree.to_dtb()
}

fn edits(text: &str) -> Vec<Edit> {
    #[derive(Deserialize)]
    struct Tree {
        tree: Vec<Edit>,
    }
    toml::from_str::<Tree>(text).unwrap().tree
}

/// The value of a property after the edits.
fn value_after(text: &str, path: &str, property: &str) -> Option<Vec<u8>> {
    let blob = apply(&blob(), &edits(text)).unwrap();
    let tree = DeviceTree::from_fdt(&Fdt::new(&blob).unwrap());
    let value = tree.find_node(path)?.property(property)?.value().to_vec();
    Some(value)
}

#[test]
fn cells_hold_numbers_and_phandles_of_nodes() {
    let text = r#"tree = [{ edit = "set-cells", node = "/pcie@2", property = "iommu-map",
                            cells = [1, { phandle = "/iommu@1" }, 0x10000] }]"#;
    assert_eq!(value_after(text, "/pcie@2", "iommu-map").unwrap(), [0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0, 0],);
}

#[test]
fn a_node_without_a_phandle_gets_a_free_one() {
    let text = r#"tree = [{ edit = "set-cells", node = "/iommu@1", property = "other", cells = [{ phandle = "/pcie@2" }] }]"#;
    assert_eq!(value_after(text, "/iommu@1", "other").unwrap(), [0, 0, 0, 8]);
    assert_eq!(value_after(text, "/pcie@2", "phandle").unwrap(), [0, 0, 0, 8]);
}

#[test]
fn texts_replace_what_was_there() {
    let text = r#"tree = [{ edit = "set-strings", node = "/iommu@1", property = "status", strings = ["disabled"] }]"#;
    assert_eq!(value_after(text, "/iommu@1", "status").unwrap(), b"disabled\0");
}

#[test]
fn nodes_and_properties_can_be_deleted_and_added() {
    let text = r#"tree = [{ edit = "delete-node", node = "/pcie@2" },
                          { edit = "delete-property", node = "/iommu@1", property = "status" },
                          { edit = "add-node", node = "/iommu@1/child" },
                          { edit = "set-bytes", node = "/iommu@1/child", property = "odd", bytes = [1, 2, 3] }]"#;
    assert_eq!(value_after(text, "/pcie@2", "status"), None);
    assert_eq!(value_after(text, "/iommu@1", "status"), None);
    assert_eq!(value_after(text, "/iommu@1/child", "odd").unwrap(), [1, 2, 3]);
}

#[test]
fn an_edit_of_what_is_not_there_is_an_error_that_names_it() {
    for (text, name) in [
        (r#"tree = [{ edit = "delete-node", node = "/nowhere" }]"#, "/nowhere"),
        (r#"tree = [{ edit = "delete-property", node = "/iommu@1", property = "reg" }]"#, "reg"),
        (r#"tree = [{ edit = "set-cells", node = "/a/b", property = "c", cells = [] }]"#, "/a/b"),
        (
            r#"tree = [{ edit = "set-cells", node = "/", property = "c", cells = [{ phandle = "/x" }] }]"#,
            "/x",
        ),
        (r#"tree = [{ edit = "truncate", length = 100000 }]"#, "100000"),
        (r#"tree = [{ edit = "bytes", offset = 100000, bytes = [0] }]"#, "100000"),
        (r#"tree = [{ edit = "break-token", node = "/nowhere", token = 0 }]"#, "/nowhere"),
    ] {
        let error = apply(&blob(), &edits(text)).unwrap_err();
        assert!(format!("{error:#}").contains(name), "{text}: {error:#}");
    }
}

#[test]
fn bytes_are_edited_last_and_break_the_blob() {
    let text = r#"tree = [{ edit = "truncate", length = 60 }, { edit = "delete-node", node = "/pcie@2" }]"#;
    let cut = apply(&blob(), &edits(text)).unwrap();
    assert_eq!(cut.len(), 60);
    assert!(Fdt::new(&cut).is_err());
    let text = r#"tree = [{ edit = "bytes", offset = 0, bytes = [0] }]"#;
    assert!(Fdt::new(&apply(&blob(), &edits(text)).unwrap()).is_err());
    let text = r#"tree = [{ edit = "break-token", node = "/pcie@2", token = 0x77 }]"#;
    assert!(Fdt::new(&apply(&blob(), &edits(text)).unwrap()).is_err());
}

#[test]
fn no_edit_leaves_the_same_tree() {
    let again = apply(&blob(), &[]).unwrap();
    let trees = [blob(), again].map(|blob| DeviceTree::from_fdt(&Fdt::new(&blob).unwrap()));
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn a_cell_that_is_not_one_is_refused_with_what_is_expected() {
    let text = "edit = \"set-cells\"\nnode = \"/a\"\nproperty = \"p\"\ncells = [\"0x0\"]";
    let error = toml::from_str::<Edit>(text).unwrap_err().to_string();
    assert!(error.contains("a cell: expected a number, or { phandle = "), "{error}");
}
