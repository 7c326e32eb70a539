//! Why a run of this image cannot be completed.

use crate::hot_plug::error::HotPlugError;
use crate::map_speed::MapSpeedError;
use crate::memory_routines::WrongRoutine;
use crate::operations::error::OperationError;
use crate::two_cpus::error::TwoCpuError;
use crate::value_error::OptionError;

/// An error that ends a run. Its text is the report's `error`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FullError {
    /// As in the main image.
    #[error(transparent)]
    Boot(#[from] kernel::Error),
    /// On the command line.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// In `then=`.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// In `hotplug=`.
    #[error(transparent)]
    HotPlug(#[from] HotPlugError),
    /// In a routine that compiled code calls.
    #[error(transparent)]
    Routine(#[from] WrongRoutine),
    /// In what needs a second CPU.
    #[error(transparent)]
    TwoCpus(#[from] TwoCpuError),
    /// A group has a domain that nothing can be mapped in.
    #[error(transparent)]
    Dma(#[from] dma::SpaceError),
    /// In a measurement.
    #[error(transparent)]
    MapSpeed(#[from] MapSpeedError),
}
