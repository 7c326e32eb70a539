//! Calls to the firmware's power management (Arm DEN 0022).

use addr::CpuAffinity;
use boot::secondary::CpuStart;
use smccc::psci::{self, Error};
use smccc::{Hvc, Smc};

/// The PSCI conduit: the instruction that traps to a hypervisor, or to the secure monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// `HVC`.
    Hvc,
    /// `SMC`.
    Smc,
}

impl Conduit {
    /// The likely conduit before firmware's description has been read: if the image was entered at
    /// EL2, no hypervisor answers `HVC`.
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

    /// SYSTEM_OFF. It returns only if it was refused, and traps if PSCI is not implemented.
    pub(crate) fn system_off(self) {
        // After any error, the machine is still on.
        let _ = match self {
            Self::Hvc => psci::system_off::<Hvc>(),
            Self::Smc => psci::system_off::<Smc>(),
        };
    }

    /// CPU_ON: starts `cpu` at `start`.
    ///
    /// # Errors
    ///
    /// Firmware's error: there is no such CPU, it is already on, or the address is invalid.
    pub fn cpu_on(self, cpu: CpuAffinity, start: CpuStart) -> Result<(), Error> {
        let CpuStart { entry, context } = start;
        match self {
            Self::Hvc => psci::cpu_on::<Hvc>(cpu.bits(), entry.0, context),
            Self::Smc => psci::cpu_on::<Smc>(cpu.bits(), entry.0, context),
        }
    }
}
