//! The bus's `dma_configure`, without ownership: from a device to its fwspec.

use alloc::vec;
use alloc::vec::Vec;

use crate::core::Core;
use crate::data::event::Event;
use crate::linux::{IsolationTime, LinuxPath};
use crate::table::device::{DeviceId, DmaState, LinuxFwspec};
use crate::table::instance::InstanceState;
use crate::traits::bus::InputIds;
use crate::traits::firmware::{FwNode, IsolationRequest, Reference, Translation, Untranslated};

/// Who has firmware asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Phase 1, which will probe the device itself.
    Phase1,
    /// A bind.
    Bind,
}

/// What came of asking firmware.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Configured {
    /// There is a fwspec, this or an earlier call made it; a bind goes on, and probes the device first or not.
    Translated {
        /// The bind is to probe it.
        probe: bool,
    },
    /// There is none, for this reason; a bind goes on without.
    Not(DmaState),
    /// Not yet (`EPROBE_DEFER`).
    Defer(FwNode),
}

/// Why one translation ended early.
enum Stop {
    Defer(FwNode),
    TimedOut(FwNode),
    Because(DmaState),
}

impl<D> Core<D> {
    /// Asks firmware about a device, and sets up what it says (Linux: `of_iommu_configure`,
    /// `acpi_iommu_configure_id`). One piece: Linux holds `iommu_probe_device_lock`.
    ///
    /// A caller that finds no fwspec in [`Configured::Not`] has the device's state to set: phase 1 has not ended.
    pub(crate) fn configure(&mut self, path: &dyn LinuxPath, device: DeviceId, caller: Caller) -> Configured {
        let had_state = match &self.device(device).dma {
            // A fwspec is there: nothing is asked, and nobody probes.
            DmaState::Translated(_) | DmaState::Grouped(_) => return Configured::Translated { probe: false },
            state => *state == DmaState::Probing,
        };
        let manners = self.firmware.manners();
        let result = self.translate_all(path, device);
        if path.isolation_time() == IsolationTime::AtTranslation {
            self.isolate(device);
        }
        let stop = match result {
            Ok(()) => {
                let probe = caller == Caller::Bind && path.probes_at_bind(manners, had_state);
                return Configured::Translated { probe };
            }
            Err(stop) => stop,
        };
        // What was translated before the stop goes, or stays for ever.
        let keeps = !manners.cleans_up && matches!(self.device(device).dma, DmaState::Translated(_));
        let back_to = |state: DmaState| if had_state { DmaState::Probing } else { state };
        match stop {
            Stop::Defer(node) => {
                if !keeps {
                    self.set_dma(device, back_to(DmaState::Waiting(vec![node])));
                }
                Configured::Defer(node)
            }
            Stop::TimedOut(node) if keeps => {
                self.ignore_dependency(device, node, caller);
                Configured::Translated { probe: false }
            }
            Stop::TimedOut(node) => {
                self.ignore_dependency(device, node, caller);
                self.set_dma(device, back_to(DmaState::Waiting(vec![node])));
                Configured::Not(DmaState::Waiting(vec![node]))
            }
            Stop::Because(_) if keeps => Configured::Translated { probe: false },
            Stop::Because(state) => {
                self.set_dma(device, back_to(state.clone()));
                Configured::Not(state)
            }
        }
    }

    /// Switches on what isolates a device, if somebody has requested isolation (Linux: `pci_enable_acs`).
    pub(crate) fn isolate(&mut self, device: DeviceId) {
        if self.isolation_requested {
            let (bus, unit) = (self.device(device).bus, self.device(device).unit);
            self.buses[bus.0 as usize].bus.isolate(unit);
        }
    }

    /// Every input ID in turn, up to the first that leads nowhere.
    fn translate_all(&mut self, path: &dyn LinuxPath, device: DeviceId) -> Result<(), Stop> {
        let this = self.device(device);
        let bus = &self.buses[this.bus.0 as usize].bus;
        let nowhere = Stop::Because(DmaState::Untranslated(Untranslated::NotInMap));
        let parent = bus.firmware_parent(this.unit).ok_or(nowhere)?;
        let lookups: Vec<InputIds> = match bus.input_ids(this.unit) {
            InputIds::Node => vec![InputIds::Node],
            InputIds::Requesters(ids) => {
                if self.firmware.manners().isolation == IsolationRequest::AtFirstTranslation {
                    self.isolation_requested = true;
                }
                ids.into_iter().map(|id| InputIds::Requesters(vec![id])).collect()
            }
        };
        for lookup in lookups {
            match self.firmware.translate(parent, &lookup) {
                Ok(Translation::Endpoints(references)) => {
                    if let Some(finding) = self.firmware.remark(parent, &lookup) {
                        self.find(finding);
                    }
                    for reference in references {
                        self.init_fwspec(path, device, &reference)?;
                    }
                }
                Ok(Translation::Nowhere(why)) => return Err(Stop::Because(DmaState::Untranslated(why))),
                Err(error) => {
                    let id = error.finding.id;
                    self.find(error.finding);
                    return Err(Stop::Because(DmaState::MapInvalid(id)));
                }
            }
        }
        Ok(())
    }

    /// One endpoint that firmware names (Linux: `iommu_fwspec_init`, `iommu_fwspec_add_ids`).
    fn init_fwspec(
        &mut self,
        path: &dyn LinuxPath,
        device: DeviceId,
        reference: &Reference,
    ) -> Result<(), Stop> {
        let node = reference.iommu;
        if self.firmware.manners().knows_itself && self.device(device).node == Some(node) {
            return Err(Stop::Because(DmaState::IsIommu));
        }
        let Some(instance) = self.instance_by_node(node) else {
            return Err(if self.deferral_expired { Stop::TimedOut(node) } else { Stop::Defer(node) });
        };
        let (driver, is_ready) = (instance.driver, instance.state == InstanceState::Ready);
        // Whether there is state is taken for who is asking: what this very call made counts as well.
        let has_state = matches!(self.device(device).dma, DmaState::Probing | DmaState::Translated(_));
        if !is_ready && path.waits_until_ready(has_state) {
            return Err(Stop::Defer(node));
        }
        if let DmaState::Translated(fwspec) = &mut self.device_mut(device).dma {
            if fwspec.driver != driver {
                let detail =
                    alloc::format!("names IOMMUs of different drivers: {} and {driver}", fwspec.driver);
                return Err(Stop::Because(DmaState::Refused(detail)));
            }
            fwspec.endpoints.push(reference.endpoint);
        } else {
            let (endpoints, source) = (vec![reference.endpoint], reference.source);
            self.device_mut(device).dma =
                DmaState::Translated(LinuxFwspec { node, driver, endpoints, source });
        }
        Ok(())
    }

    fn ignore_dependency(&mut self, device: DeviceId, node: FwNode, caller: Caller) {
        if caller == Caller::Bind {
            self.events.push(Event::DependencyIgnored { device, nodes: vec![node] });
        }
    }
}
