//! Calls to the firmware's power management (Arm DEN 0022).

use addr::CpuAffinity;
use boot::secondary::Start;
use smccc::psci::{self, Error};
use smccc::{Hvc, Smc};

/// How PSCI is called: by the instruction that traps to a hypervisor, or to the secure monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// `HVC`.
    Hvc,
    /// `SMC`.
    Smc,
}

impl Conduit {
    /// What is likely before firmware has said it: whoever left EL2 to us does not answer `HVC`.
    pub(crate) fn for_entry_at(exception_level: u8) -> Self {
        if exception_level == 2 { Self::Smc } else { Self::Hvc }
    }

    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Hvc => Self::Smc,
            Self::Smc => Self::Hvc,
        }
    }

    /// SYSTEM_OFF. It returns only if it was refused, and traps where nobody answers.
    pub(crate) fn system_off(self) {
        // Whatever the error is, the machine is still on.
        let _ = match self {
            Self::Hvc => psci::system_off::<Hvc>(),
            Self::Smc => psci::system_off::<Smc>(),
        };
    }

    /// CPU_ON: has `cpu` begin at `start`.
    ///
    /// # Errors
    ///
    /// As firmware answers: there is no such CPU, it is on already, the address is bad.
    pub fn cpu_on(self, cpu: CpuAffinity, start: Start) -> Result<(), Error> {
        let Start { entry, context } = start;
        match self {
            Self::Hvc => psci::cpu_on::<Hvc>(cpu.bits(), entry.0, context),
            Self::Smc => psci::cpu_on::<Smc>(cpu.bits(), entry.0, context),
        }
    }
}
