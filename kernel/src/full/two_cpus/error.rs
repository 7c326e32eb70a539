//! Why two CPUs cannot do what they were asked to do.

use alloc::string::String;

use kernel::machine::semihosting::HostError;
use scenario::ScenarioError;

use crate::two_cpus::second_cpu::SecondCpuError;

/// An error of what needs a second CPU.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TwoCpuError {
    /// A word needs a second CPU, and there is none.
    #[error("{word}: {error}")]
    NoSecondCpu {
        /// The word.
        word: String,
        /// The reason.
        error: SecondCpuError,
    },
    /// The steps were not taken before the deadline.
    #[error("binds=second-cpu: not completed in time; the CPUs completed {} and {} work items", pieces[0], pieces[1])]
    BindsOverdue {
        /// What each CPU did.
        pieces: [u64; 2],
    },
    /// A round of the self-test did not end before the deadline.
    #[error(
        "round {round} of two CPUs was not over in time; they did {} and {} pieces", pieces[0], pieces[1]
    )]
    SelfTestOverdue {
        /// Number of the round.
        round: u64,
        /// What each CPU did.
        pieces: [u64; 2],
    },
    /// Both CPUs were in the lock at once.
    #[error("two CPUs counted {counted} of {wanted} work items: the lock does not exclude them")]
    Lock {
        /// Pieces that were counted.
        counted: u64,
        /// Pieces that were done.
        wanted: u64,
    },
    /// The heap allocated the same memory twice.
    #[error("heap blocks were overwritten: {here} of CPU 0 and {there} of CPU 1")]
    Heap {
        /// Blocks of the first CPU.
        here: u64,
        /// Blocks of the second one.
        there: u64,
    },
    /// The scenario cannot be read.
    #[error("race={file}: {error}")]
    File {
        /// The file.
        file: String,
        /// Why not.
        error: HostError,
    },
    /// The file is not JSON, or not a scenario.
    #[error("race={file}: {error}")]
    Json {
        /// The file.
        file: String,
        /// Where and why.
        error: serde_json::Error,
    },
    /// The scenario is invalid.
    #[error("race={file}: {error}")]
    Scenario {
        /// The file.
        file: String,
        /// Why not.
        error: ScenarioError,
    },
    /// The rounds did not end before the deadline.
    #[error("race={file}: {done} of {rounds} rounds were completed in time")]
    RaceOverdue {
        /// The file.
        file: String,
        /// Number of finished rounds.
        done: u64,
        /// Number of requested rounds.
        rounds: u64,
    },
}
