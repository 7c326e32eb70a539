use serde_json::json;

use super::SlotChange;
use super::pull::port_above;
use super::qmp::typed;

#[test]
fn changes_are_read_from_a_topology() {
    #[derive(serde::Deserialize)]
    struct File {
        hot_plug: Vec<SlotChange>,
    }
    let file: File =
        toml::from_str(r#"hot_plug = [{ add = ["edu,id=e,bus=rp"] }, { remove = "e" }, { pull = "f" }]"#)
            .unwrap();
    let [add, remove, pull] = &file.hot_plug[..] else { panic!("{:?}", file.hot_plug) };
    assert_eq!(add, &SlotChange::Add(vec!["edu,id=e,bus=rp".into()]));
    assert_eq!((remove.to_string(), pull.to_string()), ("remove e".into(), "pull f".into()));
}

#[test]
fn values_get_the_types_that_the_monitor_wants() {
    let properties = json!([
        { "name": "iommu_platform", "type": "bool" },
        { "name": "disable-legacy", "type": "OnOffAuto" },
        { "name": "vectors", "type": "uint32" },
    ]);
    let typed = |name, value| typed(&properties, name, value).map_err(|error| error.to_string());
    assert_eq!(typed("iommu_platform", "on"), Ok(json!(true)));
    assert_eq!(typed("disable-legacy", "on"), Ok(json!("on")));
    assert_eq!(typed("vectors", "12"), Ok(json!(12)));
    assert_eq!(typed("vectors", "0x10"), Ok(json!(16)));
    assert_eq!(typed("bus", "rp1"), Ok(json!("rp1")));
    assert_eq!(typed("iommu_platform", "yes"), Err("iommu_platform=yes: expected on or off".into()));
    assert_eq!(typed("vectors", "0.1"), Ok(json!("0.1")));
}

#[test]
fn the_port_above_a_device_is_found_at_any_depth() {
    let device = |bus, slot, id: &str, below: serde_json::Value| {
        json!({ "bus": bus, "slot": slot, "function": 0, "qdev_id": id,
                "id": { "device": 0x000c, "vendor": 0x1b36 }, "pci_bridge": { "devices": below } })
    };
    let leaf = device(2, 0, "n1", json!([]));
    let buses = json!([{ "bus": 0, "devices": [
        device(0, 1, "rp1", json!([])),
        device(0, 2, "rp2", json!([device(1, 3, "dn", json!([leaf]))])),
    ] }]);
    let port = port_above(&buses, "n1").unwrap();
    assert_eq!(
        format!("{port:?}"),
        "Port { bus: 1, device: 3, function: 0, ids: 1771438 }"
            .replace("1771438", &(0x000c_1b36).to_string())
    );
    assert!(port_above(&buses, "rp1").unwrap_err().to_string().contains("rp1 is not behind a port"));
    assert!(port_above(&buses, "x").unwrap_err().to_string().contains("there is no PCI device x"));
}
