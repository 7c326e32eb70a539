//! The end of a run.

use core::sync::atomic::{AtomicU8, Ordering};

use aarch64_cpu::asm;

use super::cpu_owner::{Claim, CpuOwner};
use super::psci::Conduit;
use super::semihosting;

const HVC: u8 = 0;
const SMC: u8 = 1;

static CONDUIT: AtomicU8 = AtomicU8::new(HVC);

/// The CPU that ends the run. If another CPU tried the next method meanwhile, the exit status would
/// be lost.
static ENDING: CpuOwner = CpuOwner::new();

/// Number of methods to end the run that have been tried.
static TRIED: AtomicU8 = AtomicU8::new(0);

/// Sets the PSCI conduit that ends the run if there is no semihosting.
pub(crate) fn set_conduit(conduit: Conduit) {
    CONDUIT.store(if conduit == Conduit::Smc { SMC } else { HVC }, Ordering::Relaxed);
}

/// Ends the run with `status`: by semihosting, else by PSCI SYSTEM_OFF, which does not take a
/// status, else the CPU waits for ever.
///
/// If a method returns, or traps and calls this function again through the exception handler, the
/// next method is tried, so this terminates.
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

/// Stops this CPU.
pub fn park() -> ! {
    loop {
        asm::wfi();
    }
}
