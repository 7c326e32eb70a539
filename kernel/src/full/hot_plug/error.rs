//! Errors of `hotplug=`.

use alloc::string::String;

use kernel::ClassChange;

/// Why a run with hot-plug ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HotPlugError {
    /// There is nowhere to plug anything in.
    #[error("hotplug=: no port has a slot with hot-plug")]
    NoSlot,
    /// Nothing happened.
    #[error("hotplug=: change {change} of {of} did not happen within {seconds} s")]
    NoChange {
        /// Number of the change, from 1.
        change: u32,
        /// Number of changes.
        of: u32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A slot has power, and nothing in it answers.
    #[error("hotplug=: the device behind {port} does not answer within {seconds} s after its slot got power")]
    NoAnswer {
        /// Name of the port.
        port: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A slot without power still has a device.
    #[error("hotplug=: the slot behind {port} is still occupied {seconds} s after its power was cut")]
    StillThere {
        /// Name of the port.
        port: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The groups would have to change.
    #[error(transparent)]
    Class(#[from] ClassChange),
}
