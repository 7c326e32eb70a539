//! Access to the machine: console, clock, heap, configuration space, DMA, power off.
//!
//! The rest of the kernel uses these modules. Their rules: every address from outside is mapped
//! before it is used, every wait has a bound, and hardware that may be absent is detected, not
//! assumed.

pub(crate) mod blob;
pub mod clock;
pub(crate) mod config_space;
pub(crate) mod console;
mod cpu_owner;
pub mod dma;
pub mod dma_pages;
pub(crate) mod failure;
mod first_failure;
pub(crate) mod fw_cfg;
pub(crate) mod heap;
mod pl011;
pub mod power;
pub mod psci;
pub(crate) mod ram;
pub mod register_window;
pub(crate) mod registers;
pub mod semihosting;
pub mod spin_deadline;
pub(crate) mod virtio_pci;
pub(crate) mod virtio_transport;

use boot::Handover;

/// Makes the machine usable: heap, consoles, and a way to end the run. To be called once, first.
pub(crate) fn init(handover: &Handover) {
    // SAFETY: The handover passes ownership of this memory, and no other code takes it from there.
    unsafe { heap::init(handover.early_heap) };
    power::set_conduit(psci::Conduit::for_entry_at(handover.entry_exception_level));
    console::init();
}
