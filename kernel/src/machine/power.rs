//! The end of a run.

use core::sync::atomic::{AtomicU8, Ordering};

use aarch64_cpu::asm;
use smccc::{Hvc, Smc, psci};

use super::semihosting;

/// How PSCI is called: by the instruction that traps to a hypervisor, or to the secure monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduit {
    /// `HVC`.
    Hvc,
    /// `SMC`.
    Smc,
}

const HVC: u8 = 0;
const SMC: u8 = 1;

static CONDUIT: AtomicU8 = AtomicU8::new(HVC);

/// Ways to end the run that have been tried.
static TRIED: AtomicU8 = AtomicU8::new(0);

impl Conduit {
    /// What is likely before firmware has said it: whoever left EL2 to us does not answer `HVC`.
    pub(crate) fn for_entry_at(exception_level: u8) -> Self {
        if exception_level == 2 { Self::Smc } else { Self::Hvc }
    }
}

/// How the run is ended from now on where there is no semihosting.
pub(crate) fn set_conduit(conduit: Conduit) {
    CONDUIT.store(if conduit == Conduit::Smc { SMC } else { HVC }, Ordering::Relaxed);
}

/// Ends the run with `status`: by semihosting, else by PSCI SYSTEM_OFF, which has no status to give, else
/// the CPU waits for ever.
///
/// A call that comes back, or traps and comes here again through the exception handler, is followed by the
/// next way, so that this ends.
pub(crate) fn end(status: u8) -> ! {
    loop {
        let tried = TRIED.load(Ordering::Relaxed);
        TRIED.store(tried.saturating_add(1), Ordering::Relaxed);
        let by_smc = CONDUIT.load(Ordering::Relaxed) == SMC;
        match tried {
            0 => semihosting::exit(status),
            1 if by_smc => drop(psci::system_off::<Smc>()),
            1 => drop(psci::system_off::<Hvc>()),
            2 if by_smc => drop(psci::system_off::<Hvc>()),
            2 => drop(psci::system_off::<Smc>()),
            _ => asm::wfi(),
        }
    }
}
