//! The protocol suite: the cases of `conformance`, on each virtio-iommu of the machine.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::EndpointId;
use conformance::{CaseResult, Machine, Outcome};
use kernel::machine::clock;
use kernel::{Handle, Probing, log};
use probe::{Core, DeviceId, DmaState, InstanceId};
use report::{CaseOutcome, SuiteCase, SuiteReport};

use super::raw_iommu::RawIommu;

/// The suite's name.
const NAME: &str = "protocol";

/// A virtio-iommu of the machine, and what it translates.
struct Iommu {
    device: DeviceId,
    name: String,
    endpoints: Vec<EndpointId>,
}

/// Runs the cases on each IOMMU, after its driver has been unbound; returns one part of the report for each.
///
/// The drivers of the devices behind an IOMMU are unbound first, and none is bound again: nothing does DMA.
pub(super) fn run(probing: &mut Probing, hazards: &[String]) -> Vec<SuiteReport> {
    let iommus = iommus(&probing.core);
    let is_only = iommus.len() == 1;
    for iommu in &iommus {
        probing.core.unbind(iommu.device);
    }
    let mut suites: Vec<SuiteReport> = Vec::new();
    for iommu in &iommus {
        let name = if is_only { NAME.to_string() } else { format!("{NAME}@{}", iommu.name) };
        log!("suite {name}: {} endpoints behind {}", iommu.endpoints.len(), iommu.name);
        let start = clock::micros();
        let cases = run_on(probing, iommu, hazards);
        suites.push(SuiteReport { name, duration_us: clock::micros() - start, cases });
    }
    if suites.is_empty() {
        // A suite without a case fails the run.
        suites.push(SuiteReport { name: NAME.to_string(), ..SuiteReport::default() });
    }
    suites
}

/// The IOMMUs that can be looked up, with the endpoints of all devices that they translate.
fn iommus(core: &Core<Handle>) -> Vec<Iommu> {
    let of = |instance: &probe::Instance| Iommu {
        device: instance.device(),
        name: core.device(instance.device()).name().to_string(),
        endpoints: endpoints(core, instance.id()).into_iter().collect(),
    };
    core.instances().map(of).filter(|iommu| !iommu.endpoints.is_empty()).collect()
}

/// The endpoints of all devices that an IOMMU translates.
fn endpoints(core: &Core<Handle>, instance: InstanceId) -> BTreeSet<EndpointId> {
    let grouped = core.devices().filter_map(|device| match device.dma() {
        DmaState::Grouped(membership) => Some(membership),
        _ => None,
    });
    let fwspecs = grouped.flat_map(|membership| membership.fwspecs());
    let fwspecs = fwspecs.filter(|fwspec| fwspec.instance == instance);
    fwspecs.flat_map(|fwspec| fwspec.endpoints.iter().copied()).collect()
}

fn run_on(probing: &Probing, iommu: &Iommu, hazards: &[String]) -> Vec<SuiteCase> {
    let handle = *probing.core.device(iommu.device).handle();
    let mut device = match RawIommu::new(&probing.hardware, handle) {
        Ok(device) => device,
        Err(error) => return [not_started(error.0)].into(),
    };
    let unknown = (0..=0xffff).rev().map(EndpointId).find(|id| !iommu.endpoints.contains(id));
    let Some(unknown_endpoint) = unknown else {
        return [not_started("every endpoint ID of 16 bits is in use".to_string())].into();
    };
    let machine = Machine { endpoints: iommu.endpoints.clone(), unknown_endpoint };
    let is_allowed = |id: &str| hazards.iter().any(|hazard| hazard == id);
    let results = conformance::run(&mut device, &machine, is_allowed);
    let mut cases: Vec<SuiteCase> = results.cases.iter().map(case).collect();
    cases.extend(results.error.map(not_started));
    cases
}

/// The failed case of a device that does not start.
fn not_started(why: String) -> SuiteCase {
    SuiteCase {
        id: "start".to_string(),
        outcome: CaseOutcome::Failed,
        clause: None,
        detail: format!("the device does not start: {why}"),
        answer: None,
    }
}

/// A result in the report's form. The guest does not know which deviations are known; the tool compares them.
fn case(result: &CaseResult) -> SuiteCase {
    let case = &result.case;
    let about = case.about.trim_end_matches('.');
    let (outcome, detail, answer) = match &result.outcome {
        Outcome::Conforms => (CaseOutcome::Passed, format!("{about}: {}", case.expected), None),
        Outcome::Deviates { expected, answer } => {
            let detail = format!("{about}: expected {expected}, found {answer}");
            (CaseOutcome::Deviation, detail, Some(answer.clone()))
        }
        Outcome::NotRun { why } => (CaseOutcome::Skipped, why.clone(), None),
    };
    SuiteCase { id: case.id.to_string(), outcome, clause: Some(case.clause.to_string()), detail, answer }
}
