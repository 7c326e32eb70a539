//! The serial port that the SPCR describes (Serial Port Console Redirection table).

use ::acpi::address::{AddressSpace, GenericAddress};
use ::acpi::spcr::SpcrInterfaceType;
use addr::{PhysAddr, Range};
use probe::{Findings, Severity};

use super::aml::Namespace;
use super::platform;
use super::typed::{Serial, Typed};
use crate::Console;

/// Space of a PL011's registers (Arm DDI 0183, section 3.1).
const PL011_SIZE: u64 = 0x1000;

/// Why the SPCR does not lead to a console.
#[derive(Debug, thiserror::Error)]
enum ConsoleError {
    #[error("interface type {0:?} at 0x24 is not a PL011")]
    Interface(SpcrInterfaceType),
    #[error("base address {address:#x} at 0x28 in {space:?} is not in memory")]
    NotInMemory { address: u64, space: AddressSpace },
    #[error("the base address at 0x28 has an invalid address space or access size")]
    AddressMalformed,
    #[error("the base address at 0x28 is 0")]
    NoAddress,
    #[error("the registers exceed the address space")]
    RegistersCut,
}

/// The console that the SPCR describes.
pub(super) fn console(typed: &Typed, namespace: &Namespace, findings: &mut Findings) -> Option<Console> {
    match registers(typed.serial.as_ref()?, namespace) {
        Ok(registers) => Some(Console::Pl011(registers)),
        Err(error) => {
            let what = alloc::format!("{error}; there is no UART console");
            findings.add("console-unknown", Severity::Warning, "SPCR", &what);
            None
        }
    }
}

/// The registers of the serial port. The SPCR does not contain their size: it is that of the device in the namespace that
/// has the same address, or that of a PL011.
fn registers(serial: &Serial, namespace: &Namespace) -> Result<Range<PhysAddr>, ConsoleError> {
    let start = pl011(serial)?;
    let mut known = namespace.devices().iter().flat_map(platform::registers);
    let known = known.find(|range| range.start() == start);
    known.or_else(|| Range::from_size(start, PL011_SIZE)).ok_or(ConsoleError::RegistersCut)
}

/// Start of the registers of a PL011, or of a UART that has the same data and flag registers.
fn pl011(serial: &Serial) -> Result<PhysAddr, ConsoleError> {
    use SpcrInterfaceType::{ArmPL011, ArmSBSAGeneric, ArmSBSAGeneric32bit};
    let kind = serial.kind;
    if !matches!(kind, ArmPL011 | ArmSBSAGeneric | ArmSBSAGeneric32bit) {
        return Err(ConsoleError::Interface(kind));
    }
    match &serial.base {
        Some(Ok(GenericAddress {
            address_space: AddressSpace::SystemMemory,
            address: address @ 1..,
            ..
        })) => Ok(PhysAddr(*address)),
        Some(Ok(GenericAddress { address_space, address, .. })) => {
            Err(ConsoleError::NotInMemory { address: *address, space: *address_space })
        }
        Some(Err(_)) => Err(ConsoleError::AddressMalformed),
        None => Err(ConsoleError::NoAddress),
    }
}
