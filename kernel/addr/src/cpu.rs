//! Identifiers of CPUs.

use core::fmt;

use crate::hex::Hex;

/// Aff3, Aff2, Aff1 and Aff0 of MPIDR_EL1 (Arm ARM, D19.2.100).
const AFFINITY: u64 = 0xff_00ff_ffff;

/// A CPU, identified by the affinity fields of its MPIDR_EL1 as in firmware and PSCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuAffinity(u64);

impl CpuAffinity {
    /// The CPU whose MPIDR_EL1 is `mpidr`; all other fields are dropped.
    #[must_use]
    pub const fn of_mpidr(mpidr: u64) -> Self {
        Self(mpidr & AFFINITY)
    }

    /// The number that identifies this CPU in PSCI calls (Arm DEN 0022, `target_cpu`).
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CpuAffinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Hex::new(self.0).as_str())
    }
}
