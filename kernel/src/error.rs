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

/// An error that ends a run before groups exist. Its text is the report's `error`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something that this image does not support.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The requested description does not exist.
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
    /// The `acpi` crate rejects tables that passed this kernel's checks.
    #[error("the acpi crate: {0:?}")]
    AcpiCrate(acpi::AcpiError),
    /// No device offers ACPI tables.
    #[error("no fw_cfg device: ACPI tables are not available without firmware")]
    NoFwCfg,
    /// The device has no registers.
    #[error("fw_cfg has no registers")]
    NoFwCfgRegisters,
    /// The device cannot be read.
    #[error(transparent)]
    FwCfg(#[from] FwCfgError),
    /// The device does not offer tables.
    #[error("fw_cfg has no etc/table-loader: QEMU offers no ACPI tables (-M virt,acpi=off?)")]
    NoTableLoader,
    /// The script that loads the tables cannot be executed.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// Configuration space that is needed before the tables are loaded cannot be accessed.
    #[error(transparent)]
    ConfigSpace(#[from] RegistersError),
    /// A file of the host cannot be read.
    #[error("{option}={name}: {error}")]
    HostFile {
        /// The option that names the file.
        option: &'static str,
        /// Its name.
        name: String,
        /// Why it cannot be read.
        error: HostError,
    },
    /// A driver or device that does not exist.
    #[error(transparent)]
    Drivers(#[from] DriverChoiceError),
    /// An order with a name that does not match any step.
    #[error(transparent)]
    Order(#[from] OrderError),
}
