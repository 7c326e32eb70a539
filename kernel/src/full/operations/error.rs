//! Errors of `then=`: the list cannot be read, or is not for this machine.

use alloc::string::String;

/// An error that ends the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OperationError {
    /// Not an operation.
    #[error(
        "then={0}: expected unbind, bind, remove, override:DRIVER, type:TYPE, claim:OWNER, own-domain, block or \
         release, then @DEVICE"
    )]
    Unknown(String),
    /// The list is longer than this.
    #[error("then=: more than {0} operations")]
    TooMany(usize),
    /// There is no such device when the operation is due.
    #[error("then={operation}: there is no device {device}")]
    NoDevice {
        /// As written.
        operation: String,
        /// Its device.
        device: String,
    },
}
