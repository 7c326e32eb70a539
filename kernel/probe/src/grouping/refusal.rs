//! Findings about refusals of an IOMMU.

use alloc::format;
use alloc::string::String;

use crate::data::finding::{Finding, Severity};
use crate::data::id::{DeviceId, InstanceId};
use crate::data::refusal::{Refusal, RefusalCause};
use crate::table::Tables;

/// A refusal with the name of the instance that gave it: a device may be behind several.
pub(crate) fn named<D>(tables: &Tables<D>, instance: InstanceId, refusal: Refusal) -> Refusal {
    Refusal { detail: format!("{}: {}", tables.iommu_name(instance), refusal.detail), ..refusal }
}

/// A device stays without a group.
pub(crate) fn find_refusal<D>(tables: &mut Tables<D>, device: DeviceId, refusal: &Refusal) {
    let place: String = tables.devices[device].name().into();
    let id = match refusal.cause {
        RefusalCause::NoEntry => "unknown-endpoint",
        RefusalCause::Dead => "iommu-dead",
        _ => "endpoint-refused",
    };
    let sentence = format!("refused by the IOMMU ({}); the device stays without a group", refusal.detail);
    tables.log.find(Finding { id, severity: Severity::Warning, place, sentence });
}

/// A device is translated without one of its endpoints.
pub(crate) fn find_partial_refusal<D>(tables: &mut Tables<D>, device: DeviceId, refusal: &Refusal) {
    let place: String = tables.devices[device].name().into();
    let sentence = format!("{}; the device is translated by its other endpoints only", refusal.detail);
    let id = if refusal.cause == RefusalCause::NoEntry { "unknown-endpoint" } else { "endpoint-refused" };
    tables.log.find(Finding { id, severity: Severity::Info, place, sentence });
}
