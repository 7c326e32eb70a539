//! The console and the PSCI conduit in firmware's description, used as soon as they are known.

use alloc::format;
use alloc::string::ToString;

use firmware::{Console, PsciConduit};
use probe::{Finding, Severity};

use crate::machine::psci::Conduit;
use crate::machine::{console, power};

/// Uses the console in firmware's description; returns a finding if it does not answer.
pub(super) fn use_console(named: Option<Console>) -> Option<Finding> {
    let Console::Pl011(registers) = named?;
    let why = match console::move_uart(registers.start()) {
        Ok(true) => return None,
        Ok(false) => "no PL011 answers there".to_string(),
        Err(error) => error.to_string(),
    };
    let sentence = format!("console registers at {registers}: {why}; the UART stays where it was");
    Some(Finding {
        id: "console-absent",
        severity: Severity::Warning,
        place: "/chosen".to_string(),
        sentence,
    })
}

/// Uses the PSCI conduit in firmware's description, if there is one, to end the run.
pub(super) fn use_conduit(conduit: Option<PsciConduit>) {
    match conduit {
        Some(PsciConduit::Hvc) => power::set_conduit(Conduit::Hvc),
        Some(PsciConduit::Smc) => power::set_conduit(Conduit::Smc),
        None => {}
    }
}
