//! One operation of `then=`: a verb, and the device that it is for.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use probe::TypeRequest;

use super::error::OperationError;

/// Maximum number of operations in a run.
const OPERATIONS_LIMIT: usize = 256;

/// An operation, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// As written.
    pub(crate) text: String,
    pub(crate) verb: Verb,
    /// Name of the device, as in the report.
    pub(crate) device: String,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Unbinds the driver (Linux: `unbind`).
    Unbind,
    /// Lets drivers bind the device (Linux: `drivers_probe`).
    Bind,
    /// Takes the device out of the machine (Linux: `remove`).
    Remove,
    /// Only this driver may bind the device (Linux: `driver_override`).
    Override(String),
    /// Changes the type of the default domain of its group (Linux: the group's `type` file).
    Type(TypeRequest),
    /// The owner claims its group (Linux: VFIO, iommufd).
    Claim(String),
    /// The owner attaches a domain of its own.
    OwnDomain,
    /// The owner's domain ends.
    Block,
    /// The last claim that was made through the device is released.
    Release,
}

impl Operation {
    /// Reads a list that is separated by commas.
    ///
    /// # Errors
    ///
    /// An entry is not an operation, or there are too many.
    pub(crate) fn parse_list(list: &str) -> Result<Vec<Self>, OperationError> {
        let operations: Result<Vec<Self>, _> =
            list.split(',').take(OPERATIONS_LIMIT + 1).map(Self::parse).collect();
        match operations {
            Ok(operations) if operations.len() > OPERATIONS_LIMIT => {
                Err(OperationError::TooMany(OPERATIONS_LIMIT))
            }
            operations => operations,
        }
    }

    fn parse(text: &str) -> Result<Self, OperationError> {
        let unknown = || OperationError::Unknown(text.to_string());
        let (verb, device) = text.split_once('@').ok_or_else(unknown)?;
        let (verb, argument) = match verb.split_once(':') {
            None => (verb, None),
            Some((verb, argument)) => (verb, Some(argument).filter(|argument| !argument.is_empty())),
        };
        let verb = match (verb, argument) {
            ("unbind", None) => Verb::Unbind,
            ("bind", None) => Verb::Bind,
            ("remove", None) => Verb::Remove,
            ("override", Some(driver)) => Verb::Override(driver.to_string()),
            ("type", Some(word)) => Verb::Type(TypeRequest::from_word(word).ok_or_else(unknown)?),
            ("claim", Some(owner)) => Verb::Claim(owner.to_string()),
            ("own-domain", None) => Verb::OwnDomain,
            ("block", None) => Verb::Block,
            ("release", None) => Verb::Release,
            _ => return Err(unknown()),
        };
        Ok(Self { text: text.to_string(), verb, device: device.to_string() })
    }
}
