//! Why a run of this image cannot be completed.

use alloc::string::String;

use kernel::machine::semihosting::HostError;
use scenario::ScenarioError;

use crate::second_cpu::SecondCpuError;

/// What ends a run. Its text is the report's `error`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TwoCpuError {
    /// As in the main image.
    #[error(transparent)]
    Boot(#[from] kernel::Error),
    /// There is no second CPU for what a word asks for.
    #[error("{word}: {error}")]
    NoSecondCpu {
        /// The word.
        word: String,
        /// Why there is none.
        error: SecondCpuError,
    },
    /// The steps were not taken in time.
    #[error("binds=second-cpu: not completed in time; the CPUs completed {} and {} work items", pieces[0], pieces[1])]
    BindsOverdue {
        /// What each CPU did.
        pieces: [u64; 2],
    },
    /// A round of the self-test was not over in time.
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
    /// The heap gave memory twice.
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
    /// The file is no JSON, or not that of a scenario.
    #[error("race={file}: {error}")]
    Json {
        /// The file.
        file: String,
        /// Where and why.
        error: serde_json::Error,
    },
    /// The scenario makes no sense.
    #[error("race={file}: {error}")]
    Scenario {
        /// The file.
        file: String,
        /// Why not.
        error: ScenarioError,
    },
    /// The rounds were not over in time.
    #[error("race={file}: {done} of {rounds} rounds were completed in time")]
    RaceOverdue {
        /// The file.
        file: String,
        /// Rounds that were over.
        done: u64,
        /// Rounds that were asked for.
        rounds: u64,
    },
}
