//! Findings about the tables and the namespace together.

use alloc::collections::BTreeMap;
use alloc::format;

use probe::{Findings, Severity};

use crate::acpi::viot::node_place;

use super::AcpiMap;

impl AcpiMap {
    /// What is odd about the tables and the namespace together.
    pub(super) fn review(&self, findings: &mut Findings) {
        let Some(viot) = &self.viot else { return };
        let mut by_base = BTreeMap::new();
        if !viot.endpoints.is_empty() {
            for device in &self.devices {
                by_base.extend(device.base.map(|base| (base, device)));
            }
        }
        for endpoint in &viot.endpoints {
            let what = match by_base.get(&endpoint.base) {
                None => format!("no device of the namespace has its first registers at {}", endpoint.base),
                Some(device) if !device.has_dma => {
                    format!("{} has no _CCA and therefore does no DMA", device.path)
                }
                Some(_) => continue,
            };
            let what = format!("{what}; the endpoint is not used");
            findings.add("viot-endpoint-unused", Severity::Warning, node_place(endpoint.offset), &what);
        }
        for device in &self.devices {
            if let (Some(segment), false) = (device.segment, device.has_dma)
                && viot.covers_bus(segment, 0, u8::MAX)
            {
                let why = if device.is_cca_unread {
                    "_CCA cannot be evaluated"
                } else {
                    "neither it nor an enclosing device has a _CCA"
                };
                let what = format!("{why}; its functions do no DMA and are not translated");
                findings.add("cca-missing", Severity::Error, &device.path, &what);
            }
        }
    }
}
