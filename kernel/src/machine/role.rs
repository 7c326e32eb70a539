//! What one CPU alone does: report a failure, end the run, write a line.

use core::sync::atomic::{AtomicUsize, Ordering};

use boot::secondary::this_cpu;

/// A part that one CPU at a time may play.
pub(crate) struct Role {
    /// The CPU's number plus one; 0 if nobody plays it.
    player: AtomicUsize,
}

/// Who plays a [`Role`] that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// This CPU, from now on.
    Mine,
    /// This CPU, which has come here out of the middle of it.
    MineAlready,
    /// Another one.
    Another,
}

impl Role {
    /// A part that nobody plays.
    pub(crate) const fn new() -> Self {
        Self { player: AtomicUsize::new(0) }
    }

    /// Takes the part if nobody has it. Where a CPU has it for good, no other one gets past this.
    pub(crate) fn take(&self) -> Played {
        let me = this_cpu() + 1;
        match self.player.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Played::Mine,
            Err(player) if player == me => Played::MineAlready,
            Err(_) => Played::Another,
        }
    }

    /// Gives the part up.
    pub(crate) fn leave(&self) {
        self.player.store(0, Ordering::Relaxed);
    }

    /// Whether anybody has it.
    pub(crate) fn is_taken(&self) -> bool {
        self.player.load(Ordering::Relaxed) != 0
    }

    /// Whether this CPU has it.
    pub(crate) fn is_mine(&self) -> bool {
        self.player.load(Ordering::Relaxed) == this_cpu() + 1
    }
}
