//! Runs cases, each on a device that was just reset.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::bench::Bench;
use crate::case::{Body, Case};
use crate::cases;
use crate::config::Config;
use crate::deviation::{Check, Deviation};
use crate::device::Device;
use crate::machine::Machine;
use crate::message::Message;
use crate::script;

/// A domain that no case uses, counted from the first one.
const SPARE_DOMAIN: u32 = 7;

/// What a case resulted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device does what the specification wants.
    Conforms,
    /// It does something else.
    Deviates {
        /// What the specification wants at the step where the two part.
        expected: String,
        /// What the device did there.
        answer: String,
    },
    /// The case was not run.
    NotRun {
        /// What the machine lacks, or which hazard there is.
        why: String,
    },
}

/// A case and its outcome.
#[derive(Clone)]
pub struct CaseResult {
    /// The case.
    pub case: Case,
    /// Its outcome.
    pub outcome: Outcome,
}

/// The outcome of all cases.
pub struct SuiteResult {
    /// In the order in which they were run.
    pub cases: Vec<CaseResult>,
    /// Why the remaining cases were not run, if the device could not be started again.
    pub error: Option<String>,
}

/// Runs all cases; those with a hazard only if `allowed` says so.
///
/// Afterwards, the device is reset and started, with the field `bypass` as it was.
///
/// # Panics
///
/// If the machine has no endpoint.
pub fn run(device: &mut dyn Device, machine: &Machine, allowed: impl Fn(&str) -> bool) -> SuiteResult {
    assert!(!machine.endpoints.is_empty(), "the device translates at least one endpoint");
    let mut results = SuiteResult { cases: Vec::new(), error: None };
    let mut initial = None;
    // The driver that had the device before may have left all of them in domains.
    let mut used = machine.endpoints.clone();
    for case in cases::all() {
        if let Some(hazard) = case.hazard.filter(|_| !allowed(case.id)) {
            let why = format!("hazard: {}", hazard.what);
            results.cases.push(CaseResult { case, outcome: Outcome::NotRun { why } });
            continue;
        }
        if let Err(error) = begin(device, &used, &mut initial) {
            results.error = Some(format!("before {}: {error}", case.id));
            return results;
        }
        let mut bench = Bench::new(device, machine);
        let outcome = run_one(&case, &mut bench);
        used = bench.into_attached();
        results.cases.push(CaseResult { case, outcome });
    }
    results.error = begin(device, &used, &mut initial).err();
    results
}

/// Starts the device anew, with none of the `used` endpoints in a domain, and with the value of `bypass` that it had
/// before the first case.
fn begin(device: &mut dyn Device, used: &[EndpointId], initial: &mut Option<u8>) -> Result<(), String> {
    device.restart(device.offered()).map_err(|error| error.0)?;
    leave_domains(device, used);
    let now = Config::of_device(device).bypass;
    if *initial.get_or_insert(now) != now {
        device.write_bypass(initial.unwrap_or(now));
    }
    Ok(())
}

/// Ends the domains of these endpoints: QEMU from version 10.0 on keeps domains when the driver resets the device, and
/// that must cost only the cases about resets.
fn leave_domains(device: &mut dyn Device, endpoints: &[EndpointId]) {
    let domain = Config::of_device(device).domain_range.0.saturating_add(SPARE_DOMAIN);
    for endpoint in endpoints {
        for message in [Message::attach(domain, *endpoint), Message::detach(domain, *endpoint)] {
            // A device that does not answer fails in the case.
            let _ = device.exchange(&[message.request()]);
        }
    }
}

fn run_one(case: &Case, bench: &mut Bench<'_>) -> Outcome {
    if let Some(defect) = bench.config.defect().filter(|_| !case.only_reads) {
        return Outcome::NotRun { why: format!("the configuration cannot be used: {defect}") };
    }
    for need in case.needs {
        if let Err(lacking) = bench.provides(*need) {
            return Outcome::NotRun { why: format!("the machine lacks {lacking}") };
        }
    }
    let check: Check = match case.body {
        Body::Function(run) => run(bench),
        Body::Script(script) => script::run(bench, script.steps),
    };
    match check {
        Ok(()) => Outcome::Conforms,
        Err(Deviation { expected, answer }) => Outcome::Deviates { expected, answer },
    }
}
