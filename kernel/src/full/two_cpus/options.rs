//! The words of the command line that ask for a second CPU, or that configure its work.

use alloc::string::{String, ToString};

use crate::value_error::ValueError;

/// The options for two CPUs.
#[derive(Debug)]
pub(crate) struct TwoCpuOptions {
    /// The number of pieces that each CPU does in each round of the self-test (`smp-test=`).
    pub(crate) smp_test: Option<u32>,
    /// Whether the second CPU binds all devices but IOMMUs, while the first one walks the buses (`binds=second-cpu`).
    pub(crate) binds_on_second_cpu: bool,
    /// A scenario in a file of the host, which two CPUs run (`race=`).
    pub(crate) race_file: Option<String>,
    /// The number of rounds (`rounds=`).
    pub(crate) rounds: u64,
    /// The seed of both CPUs' pauses and choices (`seed=`).
    pub(crate) seed: u64,
}

/// Maximum number of pieces in a self-test: a few seconds.
const SMP_TEST_LIMIT: u32 = 100_000;

/// Maximum number of rounds in a race: some minutes.
const ROUNDS_LIMIT: u64 = 1_000_000;

/// Default number of rounds in a race.
const ROUNDS: u64 = 1000;

impl TwoCpuOptions {
    /// No second CPU.
    pub(crate) fn new() -> Self {
        Self { smp_test: None, binds_on_second_cpu: false, race_file: None, rounds: ROUNDS, seed: 0 }
    }

    /// Reads one word, `name=value`.
    ///
    /// # Errors
    ///
    /// The value cannot be used.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Result<(), ValueError> {
        match name {
            "smp-test" => match value.parse() {
                Ok(pieces @ 1..=SMP_TEST_LIMIT) => self.smp_test = Some(pieces),
                _ => return Err(ValueError::NotUpTo(SMP_TEST_LIMIT.into())),
            },
            "rounds" => match value.parse() {
                Ok(rounds @ 1..=ROUNDS_LIMIT) => self.rounds = rounds,
                _ => return Err(ValueError::NotUpTo(ROUNDS_LIMIT)),
            },
            "seed" => self.seed = value.parse().map_err(|_| ValueError::NotANumber)?,
            "binds" if value == "second-cpu" => self.binds_on_second_cpu = true,
            "race" if !value.is_empty() => self.race_file = Some(value.to_string()),
            _ => return Err(ValueError::Unknown),
        }
        Ok(())
    }
}
