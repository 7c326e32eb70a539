//! Why a run cannot be completed.

use alloc::string::String;

use firmware::acpi::AcpiError;
use firmware::acpi::table_loader::LoaderError;
use firmware::device_tree::DeviceTreeError;
use firmware::route::RouteError;

use crate::input::driver_choice::DriverChoiceError;
use crate::input::options::OptionError;
use crate::input::order::OrderError;
use crate::machine::blob::BlobError;
use crate::machine::fw_cfg::FwCfgError;
use crate::machine::registers::RegistersError;
use crate::machine::semihosting::HostError;

/// What ends a run before there are groups. Its text is the report's `error`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A word of the command line asks for what this image cannot do.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The description that is asked for is not there.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// There is no device tree at the address that was given.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The device tree cannot be read.
    #[error(transparent)]
    DeviceTree(#[from] DeviceTreeError),
    /// The ACPI tables cannot be read.
    #[error(transparent)]
    Acpi(#[from] AcpiError),
    /// The crate that reads them refuses what our checks let pass.
    #[error("the acpi crate: {0:?}")]
    AcpiCrate(acpi::AcpiError),
    /// No device that would offer ACPI tables.
    #[error("no fw_cfg device: ACPI tables are not available without firmware")]
    NoFwCfg,
    /// That device has no registers.
    #[error("fw_cfg has no registers")]
    NoFwCfgRegisters,
    /// That device cannot be read.
    #[error(transparent)]
    FwCfg(#[from] FwCfgError),
    /// It offers no tables.
    #[error("fw_cfg has no etc/table-loader: QEMU offers no ACPI tables (-M virt,acpi=off?)")]
    NoTableLoader,
    /// The script that loads the tables cannot be carried out.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// Configuration space that is needed before the tables are loaded.
    #[error(transparent)]
    ConfigSpace(#[from] RegistersError),
    /// A file of the host.
    #[error("{option}={name}: {error}")]
    HostFile {
        /// The option that names it.
        option: &'static str,
        /// Its name.
        name: String,
        /// Why it cannot be read.
        error: HostError,
    },
    /// A driver or device that there is not.
    #[error(transparent)]
    Drivers(#[from] DriverChoiceError),
    /// An order with a name that no step has.
    #[error(transparent)]
    Order(#[from] OrderError),
}
