//! Registers of PCI functions that are not virtio devices.

use pci::{BarKind, Command, FunctionIndex};

use crate::hardware::Hardware;
use crate::hardware::virtio::TransportError;
use crate::machine::register_window::RegisterWindow;

impl Hardware {
    /// The registers in a memory BAR of a function; enables the function's DMA.
    ///
    /// # Errors
    ///
    /// It does not have this BAR, or the BAR cannot be used.
    ///
    /// # Safety
    ///
    /// Reading the first word in the BAR has no effect.
    pub unsafe fn register_window(
        &self,
        index: FunctionIndex,
        number: u8,
    ) -> Result<RegisterWindow, TransportError> {
        let bar = self.topology[index].bar(number).filter(|bar| bar.kind != BarKind::Io);
        let bar = bar.ok_or(TransportError::NoRegisters)?;
        self.enable(index, Command::MEMORY | Command::BUS_MASTER)?;
        let range = self.map_bar(index, bar)?;
        // SAFETY: The BAR has just been mapped, for good; memory BARs are aligned to 16 bytes at least.
        Ok(unsafe { RegisterWindow::new(range) })
    }
}
