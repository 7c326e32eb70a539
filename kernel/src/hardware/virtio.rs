//! The registers of virtio devices, mapped and given to `virtio-drivers` as a transport.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use addr::{PhysAddr, Range};
use pci::{
    Bar, BarKind, BarRegister, Command, EnableError, Function, FunctionIndex, VirtioCapability,
    VirtioStructure,
};
use virtio_drivers::transport::mmio::{MmioError, MmioTransport, VirtIOHeader};
use virtio_drivers::transport::pci::VirtioPciError;

use super::devices::{Handle, Hardware};
use super::virtio_slot::first_registers;
use crate::machine::registers::{self, RegistersError};
use crate::machine::virtio_pci::VirtioPci;
use crate::machine::virtio_transport::VirtioTransport;

/// A transport of any kind, for the lifetime of the machine.
pub type Transport = VirtioTransport;

/// Why a virtio device cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// It cannot be enabled.
    #[error(transparent)]
    Enable(#[from] EnableError),
    /// A BAR of it cannot be used.
    #[error("{register}, through a window of {bridge}: {fault}")]
    Bar {
        /// The BAR.
        register: BarRegister,
        /// The name of the host bridge that leads to it.
        bridge: String,
        /// Why not.
        fault: BarFault,
    },
    /// Its capabilities do not locate its registers.
    #[error("{error}{complaints}")]
    Pci {
        /// The crate's error.
        error: VirtioPciError,
        /// Unusable BARs, each after a semicolon.
        complaints: String,
    },
    /// Firmware lists no registers.
    #[error("no registers")]
    NoRegisters,
    /// Firmware's registers are at address 0.
    #[error("registers at 0")]
    RegistersAtZero,
    /// The registers are not those of a virtio device.
    #[error(transparent)]
    Mmio(MmioError),
}

/// Why a BAR cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BarFault {
    /// No window covers its address.
    #[error("no address that the CPU can reach")]
    NoAddress,
    /// The registers cannot be used.
    #[error(transparent)]
    Registers(#[from] RegistersError),
    /// The registers belong to another device.
    #[error("the registers at {0} are not this function's")]
    Foreign(PhysAddr),
}

impl Hardware {
    /// The mapped registers behind a BAR of a device whose first word in it may be read, as in a virtio device; decoding
    /// of the BAR's space is already enabled.
    pub(crate) fn map_bar(&self, index: FunctionIndex, bar: &Bar) -> Result<Range<PhysAddr>, TransportError> {
        let fault = |fault| TransportError::Bar {
            register: bar.register,
            bridge: self.bridge_node(index).to_string(),
            fault,
        };
        let range = bar.cpu.ok_or_else(|| fault(BarFault::NoAddress))?;
        // SAFETY: The first register in a BAR of a virtio device does not change when it is read:
        // it is that of the common or legacy header, of the MSI-X table, or of the notifications. For other
        // devices it is the duty of `register_window`'s caller.
        unsafe { registers::map(range) }.map_err(|error| fault(error.into()))?;
        Ok(range)
    }

    /// Enables memory access and DMA of a function, after a look at the registers of its common configurations.
    ///
    /// The windows of the host bridge come from firmware, and wrong ones lead to another device's
    /// registers, which answer while decoding is disabled. Access through configuration space
    /// (virtio 1.2, section 4.1.4.9) would show it as well, but it makes QEMU exit from 9.2 on
    /// (`virtio_address_space_lookup`; 10.0.2 and 11.1.3 tried).
    fn enable_memory(
        &self,
        function: &Function,
        capabilities: &[VirtioCapability],
    ) -> Result<Vec<SilentRegister>, EnableError> {
        pci::enable_after(&self.config, function, Command::MEMORY | Command::BUS_MASTER, || {
            let mut silent = Vec::new();
            for bar in function.bars() {
                if let Some(at) = first_common_register(capabilities, bar) {
                    // SAFETY: It is the function's own register, a selector, or another device's. Firmware
                    // describes the window that leads there as one for PCI devices.
                    let word = unsafe { registers::map(at) }.ok();
                    silent.push(SilentRegister { bar: bar.register, at, word });
                }
            }
            silent
        })
    }

    /// The virtio transport of a device; enables the device's DMA.
    ///
    /// # Errors
    ///
    /// See [`TransportError`].
    pub fn virtio_transport(&self, handle: Handle) -> Result<Transport, TransportError> {
        match handle {
            Handle::Function(index) => {
                let function = &self.topology[index];
                let capabilities = pci::virtio_capabilities(&*self.config.borrow(), function);
                let silent = self.enable_memory(function, &capabilities)?;
                // I/O space is only for notifications, which memory space may offer as well.
                let in_io = |bar: &Bar| {
                    bar.kind == BarKind::Io && capabilities.iter().any(|one| one.is_in(bar.register))
                };
                let has_io = function.bars().iter().any(in_io) && self.enable(index, Command::IO).is_ok();
                // A BAR that cannot be reached matters only if the transport needs it.
                let mut complaints = String::new();
                let mut mapped = Vec::new();
                for bar in
                    function.bars().iter().filter(|bar| bar.kind != BarKind::Io || has_io && in_io(bar))
                {
                    match self.map_bar(index, bar) {
                        Ok(registers) => {
                            let common = silent.iter().find(|common| common.bar == bar.register);
                            if let Some(common) = common.filter(|common| !common.answers_now()) {
                                return Err(TransportError::Bar {
                                    register: bar.register,
                                    bridge: self.bridge_node(index).to_string(),
                                    fault: BarFault::Foreign(common.at.start()),
                                });
                            }
                            mapped.push((bar.register, registers));
                        }
                        Err(complaint) => complaints += &format!("; {complaint}"),
                    }
                }
                VirtioPci::new(function, &capabilities, &mapped)
                    .map(VirtioTransport::Pci)
                    .map_err(|error| TransportError::Pci { error, complaints })
            }
            Handle::Platform(index) => {
                let registers = first_registers(&self.platform[index]).ok_or(TransportError::NoRegisters)?;
                let header = NonNull::new(registers.start().0 as *mut VirtIOHeader)
                    .ok_or(TransportError::RegistersAtZero)?;
                // SAFETY: The registers were mapped when the slot was examined, firmware describes
                // them as those of a virtio-mmio device, and the core binds one driver to it at a
                // time.
                unsafe { MmioTransport::new(header, registers.size() as usize) }
                    .map(|mmio| VirtioTransport::Mmio(ManuallyDrop::new(mmio)))
                    .map_err(TransportError::Mmio)
            }
        }
    }
}

/// The first register of the common configuration in a BAR, and what it read as while the function did not decode it.
struct SilentRegister {
    bar: BarRegister,
    at: Range<PhysAddr>,
    word: Option<u32>,
}

impl SilentRegister {
    /// Whether it reads as something else now: the function answers.
    fn answers_now(&self) -> bool {
        // SAFETY: It was mapped and read before.
        unsafe { registers::first_word(self.at) }.ok() != self.word
    }
}

/// The CPU's addresses of the first register of the common configuration in `bar`; `None` if it does not have one, or
/// if that is not in the BAR's registers.
fn first_common_register(capabilities: &[VirtioCapability], bar: &Bar) -> Option<Range<PhysAddr>> {
    let is_common =
        |one: &&VirtioCapability| one.structure == VirtioStructure::Common && one.is_in(bar.register);
    let common = capabilities.iter().find(is_common)?;
    let registers = bar.cpu?;
    let start = registers.start().checked_add(common.start.into())?;
    Range::from_size(start, 4).filter(|register| registers.encloses(register))
}
