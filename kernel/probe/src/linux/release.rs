//! A driver, or a device, goes: whatever is behind an IOMMU loses its group with it, and keeps its driver.

use crate::data::dma::Ungrouped;
use crate::data::id::DeviceId;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::linux::state::Linux;
use crate::table::Tables;

/// Takes the driver off a device. If it is an IOMMU, its users lose their groups.
pub(crate) fn release_driver<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) {
    if let Some(instance) = tables.instances.of_device(device) {
        let (instance, node) = (instance.id(), instance.node());
        for user in tables.instances[instance].members().to_vec() {
            withdraw(tables, user, LeaveCause::Other);
            linux.clear(user);
            tables.devices.set_ungrouped(user, Ungrouped::Waiting(node.into_iter().collect()));
            tables.queue_bind(user);
        }
        tables.unpublish(instance);
    }
    tables.stop_driver(device);
}
