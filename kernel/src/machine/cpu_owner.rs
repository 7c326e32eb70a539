//! Ownership of work that only one CPU at a time may do: report a failure, end the run, write a
//! line.

use core::sync::atomic::{AtomicUsize, Ordering};

use boot::cpu::this_cpu;

/// The CPU that currently does some exclusive work, if any.
pub(crate) struct CpuOwner {
    /// The CPU's number plus one; 0 if there is no owner.
    owner: AtomicUsize,
}

/// The result of claiming a [`CpuOwner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This CPU has become the owner.
    Ours,
    /// This CPU was already the owner: the claim interrupts its own work.
    AlreadyOurs,
    /// Another CPU is the owner.
    Theirs,
}

impl CpuOwner {
    /// Without an owner.
    pub(crate) const fn new() -> Self {
        Self { owner: AtomicUsize::new(0) }
    }

    /// Makes this CPU the owner if there is none. If an owner never releases it, no other CPU
    /// becomes the owner.
    pub(crate) fn claim(&self) -> Claim {
        let me = this_cpu() + 1;
        match self.owner.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Claim::Ours,
            Err(owner) if owner == me => Claim::AlreadyOurs,
            Err(_) => Claim::Theirs,
        }
    }

    /// Releases the ownership.
    pub(crate) fn release(&self) {
        self.owner.store(0, Ordering::Relaxed);
    }

    /// Whether there is an owner.
    pub(crate) fn is_claimed(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }

    /// Whether this CPU is the owner.
    pub(crate) fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_cpu() + 1
    }
}
