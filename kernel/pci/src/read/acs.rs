//! Reading the ACS capability.

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::acs::{AcsFlags, AcsRegisters};
use crate::function::capability::id;
use crate::read::capability;
use crate::topology::Topology;

/// Reads the ACS registers of a function, if it has that capability.
pub(crate) fn find(config: &dyn ConfigAccess, function: &Function) -> Option<AcsRegisters> {
    // The registers follow the header of the capability, for which there is no room at the very end of config space.
    let offset = function.extended_capability(id::ACS)?;
    let registers = config.read32(function.address, capability::in_extended_space(offset + 4)?);
    Some(AcsRegisters {
        offset,
        capability: AcsFlags::from_bits_retain(registers as u16),
        control: AcsFlags::from_bits_retain((registers >> 16) as u16),
        is_chosen: false,
    })
}

impl Topology {
    /// Reads the ACS registers of all functions again.
    pub fn read_acs_again(&mut self, config: &dyn ConfigAccess) {
        for index in self.indices() {
            if self.is_present(index) {
                self.function_mut(index).acs = read_acs(config, &self[index]);
            }
        }
    }
}

/// Reads the current ACS registers of a function.
pub fn read_acs(config: &dyn ConfigAccess, function: &Function) -> Option<AcsRegisters> {
    let acs = function.acs?;
    let control = AcsFlags::from_bits_retain(config.read16(function.address, acs.offset + 6));
    Some(AcsRegisters { control, ..acs })
}
