//! The end of a run.

use core::sync::atomic::{AtomicU8, Ordering};

use aarch64_cpu::asm;

use super::cpu_owner::{Claim, CpuOwner};
use super::psci::Conduit;
use super::semihosting;

const HVC: u8 = 0;
const SMC: u8 = 1;

static CONDUIT: AtomicU8 = AtomicU8::new(HVC);

/// The end of the run, which one CPU brings about: a second way out, tried by another one meanwhile, would have no
/// status to give.
static ENDING: CpuOwner = CpuOwner::new();

/// Ways to end the run that have been tried.
static TRIED: AtomicU8 = AtomicU8::new(0);

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
    if ENDING.claim() == Claim::Theirs {
        park();
    }
    loop {
        let tried = TRIED.load(Ordering::Relaxed);
        TRIED.store(tried.saturating_add(1), Ordering::Relaxed);
        let conduit = if CONDUIT.load(Ordering::Relaxed) == SMC { Conduit::Smc } else { Conduit::Hvc };
        match tried {
            0 => semihosting::exit(status),
            1 => conduit.system_off(),
            2 => conduit.other().system_off(),
            _ => park(),
        }
    }
}

/// This CPU does nothing any more.
pub fn park() -> ! {
    loop {
        asm::wfi();
    }
}
