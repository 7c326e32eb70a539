//! The probe paths, one file each, built from the same parts.
//!
//! A path decides *when* firmware is asked, who walks the devices, and what an error does; how an
//! endpoint is attached, and default domains, are the same for all and lie outside of this folder. Linux's three paths share
//! [`crate::linux`], and each file of theirs has exactly what that Linux does in its own way: the
//! difference between two files is the difference between two kernels.

use core::fmt;

use crate::activity::Work;
use crate::core::Core;
use crate::fixed;
use crate::linux::{self, Arrival, Binding, LinuxPath};
use crate::table::device::{Device, DeviceId};

/// Which way probing goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Two phases, and every invariant kept.
    #[default]
    Fixed,
    /// Linux 6.17 to 7.3.
    Upstream,
    /// Linux 6.15 to 6.16.3.
    Regressed,
    /// Linux 6.14 and older.
    Legacy,
}

impl Path {
    /// All, the newest first.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Upstream, Self::Regressed, Self::Legacy];

    /// The word on command lines and in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Upstream => "upstream",
            Self::Regressed => "regressed",
            Self::Legacy => "legacy",
        }
    }

    /// The path that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.word() == word)
    }

    /// What that Linux does in its own way; none for `fixed`.
    pub(crate) fn linux(self) -> Option<&'static dyn LinuxPath> {
        match self {
            Self::Fixed => None,
            Self::Upstream => Some(&linux::upstream::Upstream),
            Self::Regressed => Some(&linux::regressed::Regressed),
            Self::Legacy => Some(&linux::legacy::Legacy),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A device is on its bus.
pub(crate) fn device_added<D>(core: &mut Core<D>, device: DeviceId) -> Option<Work> {
    match core.path.linux() {
        None => {
            fixed::device_added(core, device);
            core.queue_bind(device);
            None
        }
        Some(_) => Some(Work::Arrive(Arrival::begin(core, device))),
    }
}

/// A device has lost its driver.
pub(crate) fn driver_unbound<D>(core: &mut Core<D>, device: DeviceId) {
    if core.path == Path::Fixed {
        fixed::driver_unbound(core, device);
    }
}

/// An attempt to bind begins.
pub(crate) fn bind<D>(core: &mut Core<D>, device: DeviceId) -> Option<Work> {
    match core.path.linux() {
        None => core.bind_at_once(device),
        Some(_) => Binding::begin(core, device).map(Work::BindInSteps),
    }
}

/// Whether a driver may bind a device that is still being added.
pub(crate) fn lets_bind<D>(path: Path, device: &Device<D>) -> bool {
    !device.arriving || path.linux().is_none_or(|path| path.binds_while_arriving())
}
