//! The second CPU, started at its first use.

use alloc::string::ToString;
use alloc::vec::Vec;

use addr::CpuAffinity;
use firmware::{Description, PsciConduit};
use kernel::log;
use kernel::machine::psci::Conduit;

use crate::two_cpus::error::TwoCpuError;
use crate::two_cpus::second_cpu::{SecondCpu, SecondCpuError};

/// The second CPU, started at its first use.
pub(crate) struct OnDemand {
    affinities: Vec<CpuAffinity>,
    conduit: Option<Conduit>,
    started: Option<SecondCpu>,
}

impl OnDemand {
    /// The second CPU in `description`.
    pub(crate) fn new(description: &Description) -> Self {
        let conduit = description.psci.map(|conduit| match conduit {
            PsciConduit::Hvc => Conduit::Hvc,
            PsciConduit::Smc => Conduit::Smc,
        });
        Self { affinities: description.affinities.clone(), conduit, started: None }
    }

    /// The CPU, for `word` of the command line; starts it at the first call.
    ///
    /// # Errors
    ///
    /// There is no second CPU, or it does not start.
    pub(crate) fn cpu(&mut self, word: &str) -> Result<&mut SecondCpu, TwoCpuError> {
        let cpu = match self.started.take() {
            Some(cpu) => cpu,
            None => {
                self.start().map_err(|error| TwoCpuError::NoSecondCpu { word: word.to_string(), error })?
            }
        };
        Ok(self.started.insert(cpu))
    }

    fn start(&self) -> Result<SecondCpu, SecondCpuError> {
        let cpu = SecondCpu::start(&self.affinities, self.conduit)?;
        log!("CPU 1 (affinity {}) is up", cpu.affinity());
        Ok(cpu)
    }
}
