//! One driver's own probe, with the ownership of the default domain that comes with it.

use alloc::format;
use alloc::string::String;

use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::data::id::{DriverId, GroupId};
use crate::phase2::claim::DmaClaim;
use crate::table::Tables;
use crate::traits::driver::{BindError, Provides};
use crate::traits::iommu::SharedIommu;

/// How a driver's own probe ended.
pub(crate) enum Outcome {
    /// It succeeded, and uses the default domain of this group.
    Bound(Option<GroupId>),
    /// It brings an IOMMU, which nothing translates: it uses no domain.
    Iommu(SharedIommu),
    /// It is to be tried again, for this reason.
    Deferred(String),
    /// The next driver may try.
    Failed,
    /// The group is claimed, and no driver that uses its default domain may bind.
    Claimed,
}

/// Calls the driver's own probe for the device of the claim, which the probe takes. `group` is the group that the device
/// is in; the driver counts as an owner of its default domain from before the probe.
pub(crate) fn attempt<D>(
    tables: &mut Tables<D>,
    driver: DriverId,
    group: Option<GroupId>,
    claim: DmaClaim,
) -> Outcome {
    let device = claim.device();
    let owns = if tables.drivers.get_mut(driver).manages_dma() { None } else { group };
    if let Err(ownership) = tables.groups.add_owner(owns) {
        let owner = &tables.ownerships[ownership].owner().0;
        let detail = format!("its group is claimed by {owner} (EBUSY)");
        tables.devices.bind_failed(device, detail.clone());
        tables.log.event(Event::BindFailed { device, driver, detail });
        return Outcome::Claimed;
    }
    let code = tables.drivers.get_mut(driver);
    let error = match code.bind(tables.devices[device].handle(), claim) {
        Ok(Provides::Nothing) => return Outcome::Bound(owns),
        Ok(Provides::Iommu(ops)) => {
            tables.groups.remove_owner(owns);
            return Outcome::Iommu(ops);
        }
        Err(error) => error,
    };
    tables.groups.remove_owner(owns);
    match error {
        BindError::Defer(why) => return Outcome::Deferred(why),
        BindError::Declined(detail) => tables.log.event(Event::Declined { device, driver, detail }),
        BindError::Failed(detail) => {
            let place = tables.devices[device].name().into();
            let sentence = format!("{} did not bind: {detail}", tables.drivers.name(driver));
            tables.devices.bind_failed(device, detail.clone());
            tables.log.find(Finding { id: "driver-failed", severity: Severity::Warning, place, sentence });
            tables.log.event(Event::BindFailed { device, driver, detail });
        }
    }
    Outcome::Failed
}
