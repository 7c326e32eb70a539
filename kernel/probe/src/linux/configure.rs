//! The bus's `dma_configure`, without ownership: from a device to its fwspec.
//!
//! The caller is inferred from whether the device's IOMMU state exists already
//! (`iommu_fwspec_init`), which is wrong for a device that names two IOMMUs: handling the first
//! makes the second look like a replay. An IOMMU's own translation is refused by VIOT alone; IOMMUs
//! behind each other in a ring defer until the timeout.

use alloc::vec;
use alloc::vec::Vec;

use crate::data::dma::Ungrouped;
use crate::data::event::Event;
use crate::data::firmware::{InputIds, Reference, Translation, Untranslated};
use crate::data::id::{DeviceId, FwNode};
use crate::data::refusal::JoinError;
use crate::linux::adapter::IsolationRequest;
use crate::linux::rules::IsolationTime;
use crate::linux::state::{DevIommu, Linux, LinuxFwspec, WhyUngrouped};
use crate::table::Tables;

/// The caller of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Phase 1, which will probe the device itself.
    Phase1,
    /// A bind.
    Bind,
}

/// The result of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Configured {
    /// There is a fwspec from this or an earlier call; a bind continues, with or without a probe of
    /// the device first.
    Translated {
        /// The bind is to probe it.
        probe: bool,
    },
    /// There is no fwspec, for this reason; a bind continues without one.
    Not(Ungrouped),
    /// Not yet (`EPROBE_DEFER`).
    Defer(FwNode),
}

/// Why one translation ended early.
enum Stop {
    Defer(FwNode),
    TimedOut(FwNode),
    Because(Ungrouped),
}

/// Translates a device's IDs with firmware's map, and sets up its fwspec (Linux:
/// `of_iommu_configure`, `acpi_iommu_configure_id`). One piece: Linux holds
/// `iommu_probe_device_lock`.
///
/// A caller that finds no fwspec in [`Configured::Not`] has the device's state to set: phase 1 has not ended.
pub(crate) fn configure<D>(
    linux: &mut Linux,
    tables: &mut Tables<D>,
    device: DeviceId,
    caller: Caller,
) -> Configured {
    // There is a fwspec: firmware is not read, and the device is not probed.
    if linux.is_translated(device) || tables.membership(device).is_some() {
        return Configured::Translated { probe: false };
    }
    let had_state = linux.has_state(device);
    let result = translate_all(linux, tables, device);
    if linux.path.isolation_time() == IsolationTime::AtTranslation {
        linux.isolate(tables, device);
    }
    let Err(stop) = result else {
        let probe = caller == Caller::Bind && linux.path.probes_at_bind(&linux.quirks, had_state);
        return Configured::Translated { probe };
    };
    // The translations before the stop are removed, or stay for ever.
    let keeps = !linux.quirks.cleans_up && linux.is_translated(device);
    let mut back_to = |tables: &mut Tables<D>, state: Ungrouped| {
        if had_state {
            linux.set(tables, device, DevIommu::Probing);
        } else {
            linux.settle(tables, device, WhyUngrouped::Known(state));
        }
    };
    match stop {
        Stop::Defer(node) => {
            if !keeps {
                back_to(tables, Ungrouped::Waiting(vec![node]));
            }
            Configured::Defer(node)
        }
        Stop::TimedOut(node) => {
            if caller == Caller::Bind {
                tables.log.event(Event::DependencyIgnored { device, nodes: vec![node] });
            }
            if keeps {
                return Configured::Translated { probe: false };
            }
            back_to(tables, Ungrouped::Waiting(vec![node]));
            Configured::Not(Ungrouped::Waiting(vec![node]))
        }
        Stop::Because(_) if keeps => Configured::Translated { probe: false },
        Stop::Because(state) => {
            back_to(tables, state.clone());
            Configured::Not(state)
        }
    }
}

/// Every input ID in turn, up to the first that is not behind an IOMMU.
fn translate_all<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) -> Result<(), Stop> {
    let this = &tables.devices[device];
    let bus = &tables.buses[this.bus()];
    let nowhere = Stop::Because(Ungrouped::Untranslated(Untranslated::NotInMap));
    let parent = bus.firmware_parent(this.unit()).ok_or(nowhere)?;
    let lookups: Vec<InputIds> = match bus.input_ids(this.unit()) {
        InputIds::Node => vec![InputIds::Node],
        InputIds::Requesters(ids) => {
            if linux.quirks.isolation == IsolationRequest::AtFirstTranslation {
                linux.request_isolation();
            }
            ids.into_iter().map(|id| InputIds::Requesters(vec![id])).collect()
        }
    };
    for lookup in lookups {
        match tables.firmware.translate(parent, &lookup) {
            Ok(Translation::Endpoints(references)) => {
                if let Some(finding) = tables.firmware.remark(parent, &lookup) {
                    tables.log.find(finding);
                }
                for reference in references {
                    init_fwspec(linux, tables, device, &reference)?;
                }
            }
            Ok(Translation::Nowhere(why)) => return Err(Stop::Because(Ungrouped::Untranslated(why))),
            Err(error) => {
                let id = error.finding.id;
                tables.log.find(error.finding);
                return Err(Stop::Because(Ungrouped::MapInvalid(id)));
            }
        }
    }
    Ok(())
}

/// One endpoint that firmware names (Linux: `iommu_fwspec_init`, `iommu_fwspec_add_ids`).
fn init_fwspec<D>(
    linux: &mut Linux,
    tables: &mut Tables<D>,
    device: DeviceId,
    reference: &Reference,
) -> Result<(), Stop> {
    let node = reference.iommu;
    if linux.quirks.knows_itself && tables.devices[device].node() == Some(node) {
        return Err(Stop::Because(Ungrouped::IsIommu));
    }
    let Some(instance) = linux.listed(tables, Some(node)) else {
        return Err(if tables.binds.is_expired() { Stop::TimedOut(node) } else { Stop::Defer(node) });
    };
    let (driver, is_ready) = (instance.driver(), instance.is_ready());
    // The presence of state is mistaken for the caller, including state from this very call.
    if !is_ready && linux.path.waits_until_ready(linux.has_state(device)) {
        return Err(Stop::Defer(node));
    }
    match linux.fwspec_mut(device) {
        Some(fwspec) if fwspec.driver != driver => {
            let error = JoinError::MixedDrivers { first: fwspec.driver, other: driver };
            return Err(Stop::Because(Ungrouped::Refused(error)));
        }
        Some(fwspec) => fwspec.endpoints.push(reference.endpoint),
        None => {
            let (endpoints, source) = (vec![reference.endpoint], reference.source);
            let fwspec = LinuxFwspec { node, driver, endpoints, source };
            linux.set(tables, device, DevIommu::Translated(fwspec));
        }
    }
    Ok(())
}
