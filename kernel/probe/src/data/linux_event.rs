//! Events that occur only on Linux's paths.

use alloc::string::String;

use crate::data::id::{DeviceId, InstanceId};

/// One step that `fixed` never takes.
#[derive(Clone, Debug, PartialEq)]
pub enum LinuxEvent {
    /// A device was grouped when its driver was set (Linux: "late IOMMU probe at driver
    /// bind, something fishy here!").
    Late(DeviceId),
    /// A walk ended with an error, and the IOMMU was removed from the list again.
    RegistrationFailed {
        /// The IOMMU.
        instance: InstanceId,
        /// The device that caused the error.
        detail: String,
    },
    /// The kernel has crashed.
    Oops {
        /// The device that was probed.
        device: DeviceId,
        /// The IOMMU that was mistaken for the device's.
        instance: InstanceId,
        /// How.
        detail: String,
    },
}
