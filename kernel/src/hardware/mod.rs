//! The machine's hardware for drivers: configuration space, the PCI topology, platform devices.

mod bridge_windows;
mod devices;
mod enumerate;
mod firmware_checks;
mod hot_plug;
pub(crate) mod platform_bus;
pub(crate) mod root_buses;
mod topology_now;
pub(crate) mod virtio;
mod virtio_slot;
mod windows;

pub(crate) use self::devices::VIRTIO_VENDOR;
pub use self::devices::{Handle, Hardware};
pub(crate) use self::enumerate::enumerate;
pub(crate) use self::hot_plug::Plugged;
