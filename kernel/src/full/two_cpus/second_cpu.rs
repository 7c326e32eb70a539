//! The second CPU: started at its first use, it then runs one closure at a time.
//!
//! [`SecondCpu::join`] is the whole interface: it starts one closure on each CPU at the same time,
//! and returns when both have returned. The borrow checker decides what they may share, as with
//! scoped threads.

use addr::CpuAffinity;
use boot::cpu;
use boot::secondary::{self, PrepareError};
use kernel::machine::power;
use kernel::machine::psci::Conduit;
use kernel::machine::spin_deadline::SpinDeadline;
use smccc::psci;
use sync::Mailbox;

/// Deadline for the start of a CPU, in microseconds; an emulator takes one.
const COME_UP_LIMIT_US: u64 = 3_000_000;

/// Deadline for the second CPU to begin with a closure, in microseconds.
const BEGIN_LIMIT_US: u64 = 20_000_000;

/// Deadline for the second CPU to finish after the first one, in microseconds.
const END_LIMIT_US: u64 = 20_000_000;

/// The mailbox of the second CPU: the address of a [`Job`], or [`PARK`].
static WORK: Mailbox = Mailbox::new();

/// Not an address: there are no more jobs.
const PARK: usize = 0;

/// A closure on the stack of the first CPU.
type Job<'a> = &'a mut (dyn FnMut() + Send);

/// Why there is no second CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecondCpuError {
    /// Firmware describes only this CPU.
    #[error("the firmware describes no second CPU")]
    None,
    /// Firmware does not describe the PSCI conduit.
    #[error("the firmware does not describe PSCI, which starts CPUs")]
    NoPsci,
    /// It was started earlier, and is parked.
    #[error("the second CPU was already used and is parked")]
    Parked,
    /// Its stacks cannot be mapped.
    #[error("no stack for the second CPU: {0}")]
    Map(boot::memory::MapError),
    /// Firmware does not start it.
    #[error("the CPU with affinity {cpu} is not started: {error}")]
    Refused {
        /// The CPU.
        cpu: CpuAffinity,
        /// Firmware's error.
        error: psci::Error,
    },
    /// It was started, but does not respond.
    #[error("the CPU with affinity {0} was started, but did not come up within {ms} ms", ms = COME_UP_LIMIT_US / 1000)]
    Silent(CpuAffinity),
}

impl From<PrepareError> for SecondCpuError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Twice => Self::Parked,
            PrepareError::Map(error) => Self::Map(error),
        }
    }
}

/// The second CPU, running and idle. It is parked when this is dropped.
#[derive(Debug)]
pub(crate) struct SecondCpu {
    affinity: CpuAffinity,
}

impl SecondCpu {
    /// Starts the first CPU of `cpus` that is not this one.
    ///
    /// # Errors
    ///
    /// See [`SecondCpuError`].
    pub(crate) fn start(cpus: &[CpuAffinity], conduit: Option<Conduit>) -> Result<Self, SecondCpuError> {
        let here = cpu::this_affinity();
        let affinity = *cpus.iter().find(|cpu| **cpu != here).ok_or(SecondCpuError::None)?;
        let conduit = conduit.ok_or(SecondCpuError::NoPsci)?;
        let start = secondary::prepare()?;
        let refused = |error| SecondCpuError::Refused { cpu: affinity, error };
        conduit.cpu_on(affinity, start).map_err(refused)?;
        let mut deadline = SpinDeadline::new(COME_UP_LIMIT_US, "a CPU to come up");
        while !secondary::is_up() {
            if !deadline.is_open() {
                return Err(SecondCpuError::Silent(affinity));
            }
        }
        Ok(Self { affinity })
    }

    /// The CPU's affinity.
    pub(crate) fn affinity(&self) -> CpuAffinity {
        self.affinity
    }

    /// Runs `first` here and `second` on the second CPU, and returns both results.
    ///
    /// Neither begins before both CPUs are ready.
    ///
    /// # Panics
    ///
    /// The second CPU does not begin, or does not finish after `first`, before the deadline. It may
    /// still be using borrowed data, so the run cannot continue.
    pub(crate) fn join<A, B: Send>(
        &mut self,
        first: impl FnOnce() -> A,
        second: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let mut second = Some(second);
        let mut answer = None;
        let mut body = || answer = second.take().map(|second| second());
        let mut job: Job<'_> = &mut body;
        let posted = WORK.post((&raw mut job).expose_provenance());
        assert!(posted.is_ok(), "CPU 1 is idle between two closures");
        let mut deadline = SpinDeadline::new(BEGIN_LIMIT_US, "CPU 1 to begin");
        while WORK.is_waiting() {
            deadline.wait();
        }
        let first = first();
        let mut deadline = SpinDeadline::new(END_LIMIT_US, "CPU 1 to end what it does");
        while !WORK.is_empty() {
            deadline.wait();
        }
        (first, answer.expect("the mailbox is empty when the closure has returned"))
    }
}

impl Drop for SecondCpu {
    fn drop(&mut self) {
        // The second CPU is idle: otherwise `join` borrows this.
        let _ = WORK.post(PARK);
    }
}

/// The main function of the second CPU. Called by `boot` on that CPU.
pub(crate) fn main() -> ! {
    loop {
        let Some(delivery) = WORK.take() else {
            cpu::relax();
            continue;
        };
        if delivery.word() == PARK {
            delivery.finish();
            power::park();
        }
        let job = core::ptr::with_exposed_provenance_mut::<Job<'_>>(delivery.word());
        // SAFETY: The word is the address of a job on the stack of `join`. Until the delivery is
        // finished, `join` waits, touches neither the job nor the data that it borrows, and does
        // not unwind. The mailbox makes the job visible here and its effects visible there. The job
        // may run here because it is `Send`.
        unsafe { (*job)() };
        delivery.finish();
    }
}
