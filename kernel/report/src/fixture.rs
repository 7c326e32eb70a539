//! A device for the tests of reports.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::Device;

/// A conventional PCI function with a driver.
pub(crate) fn device(name: &str, group: Option<u32>, why: &str) -> Device {
    Device {
        name: name.to_string(),
        bus: "pci".to_string(),
        id: "1af4:1000".to_string(),
        class: Some("0x020000".to_string()),
        kind: "conventional".to_string(),
        driver: Some("virtio-pci".to_string()),
        group,
        iommu: None,
        endpoints: Vec::new(),
        source: None,
        translations: Vec::new(),
        trigger: None,
        why: why.to_string(),
        isolation_lost: false,
        secondary_bus: None,
        physfn: None,
        vfs: None,
        untrusted: false,
        acs: None,
    }
}
