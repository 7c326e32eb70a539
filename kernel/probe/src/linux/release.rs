//! Removal of a driver or a device. The devices behind a removed IOMMU lose their groups and keep their drivers.

use crate::data::dma::Ungrouped;
use crate::data::id::DeviceId;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::linux::state::Linux;
use crate::table::Tables;

/// Unbinds the driver of a device. If the device is an IOMMU, its users lose their groups.
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
