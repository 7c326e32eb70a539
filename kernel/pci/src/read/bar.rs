//! Measuring base address registers.

use alloc::vec::Vec;

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::config::bar::{IO_ADDRESS, MEMORY_ADDRESS, ROM_ADDRESS};
use crate::config::command::Command;
use crate::config::register;
use crate::findings::Findings;
use crate::function::bar::{Bar, BarKind, BarRegister};

/// Bit 0 of a BAR: I/O space.
const IO_SPACE: u32 = 1;
/// Bits 2 and 1 of a memory BAR: the width (PCI Local Bus 3.0, section 6.2.5.1).
const WIDTH: u32 = 3 << 1;
const WIDTH_32: u32 = 0;
const WIDTH_1_MIB: u32 = 1 << 1;
const WIDTH_64: u32 = 2 << 1;
/// Bit 3 of a memory BAR: prefetchable.
const PREFETCHABLE: u32 = 1 << 3;
/// The number of BARs of a virtual function.
const VIRTUAL_BARS: u8 = 6;
/// Bit 0 of a ROM BAR: the ROM is decoded (PCI Local Bus 3.0, section 6.2.5.2).
const ROM_ENABLE: u32 = 1;

/// Reads the BARs of a function with their sizes and current addresses, the ROM last.
///
/// Sizes are measured by writing ones. Decoding is off meanwhile, and all registers have their previous values
/// afterwards.
pub(crate) fn measure_all(
    config: &mut dyn ConfigAccess,
    at: PciAddress,
    count: u8,
    rom: Option<u16>,
    findings: &mut Findings,
) -> Vec<Bar> {
    let mut bars = Vec::new();
    if count == 0 && rom.is_none() {
        return bars;
    }
    let command = config.read16(at, register::COMMAND);
    let decoding = (Command::IO | Command::MEMORY).bits();
    if command & decoding != 0 {
        config.write16(at, register::COMMAND, command & !decoding);
    }
    let mut number = 0;
    while number < count {
        let offset = register::BAR_0 + 4 * u16::from(number);
        let (bar, width) =
            measure(config, at, (BarRegister::Bar(number), offset), number + 1 == count, findings);
        bars.extend(bar);
        number += width;
    }
    bars.extend(rom.and_then(|offset| measure_rom(config, at, offset)));
    // I/O space begins at 0, and EDK2 2022.11 uses that address. A BAR that was never placed reads the same, so it
    // counts as an address only if the function decodes I/O.
    let decodes_io = command & Command::IO.bits() != 0;
    for bar in bars.iter_mut().filter(|bar| decodes_io && bar.kind == BarKind::Io) {
        bar.bus_address.get_or_insert(0);
    }
    if command & decoding != 0 {
        config.write16(at, register::COMMAND, command);
    }
    bars
}

/// Reads the BARs of all `total` virtual functions, whose registers begin at `first` and are not decoded yet.
///
/// Addresses from firmware are ignored: they are for firmware's number of virtual functions.
pub(crate) fn measure_virtual(
    config: &mut dyn ConfigAccess,
    at: PciAddress,
    first: u16,
    total: u16,
    findings: &mut Findings,
) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut number = 0;
    while number < VIRTUAL_BARS {
        let offset = first + 4 * u16::from(number);
        let register = BarRegister::Virtual { number, offset };
        let (bar, width) = measure(config, at, (register, offset), number + 1 == VIRTUAL_BARS, findings);
        bars.extend(bar.map(|bar| Bar { count: total, bus_address: None, ..bar }));
        number += width;
    }
    bars
}

/// Measures the BAR at an offset. Returns it and the number of registers that it takes.
fn measure(
    config: &mut dyn ConfigAccess,
    at: PciAddress,
    (register, offset): (BarRegister, u16),
    is_last: bool,
    findings: &mut Findings,
) -> (Option<Bar>, u8) {
    let (held, ones) = probe(config, at, offset, u32::MAX);
    // If nothing answers, all bits read as ones, including the flags (Linux: `__pci_read_base`).
    if ones == 0 || ones == u32::MAX {
        return (None, 1);
    }
    // The type bits are those read before the measurement: in a BAR of less than 16 bytes of memory they can be
    // written and then read as ones (QEMU 7.2: `pvpanic-pci`). Such a BAR has 16 bytes (Linux: `decode_bar`).
    if held & IO_SPACE != 0 {
        // The upper half may be hard-wired to zero: I/O space needs only 16 bits.
        let mask = ones & IO_ADDRESS;
        return (bar(register, BarKind::Io, mask.into(), (held & IO_ADDRESS).into()), 1);
    }
    let prefetchable = held & PREFETCHABLE != 0;
    let (mut mask, mut address) = (u64::from(ones & MEMORY_ADDRESS), u64::from(held & MEMORY_ADDRESS));
    match held & WIDTH {
        WIDTH_32 => (bar(register, BarKind::Memory { wide: false, prefetchable }, mask, address), 1),
        WIDTH_64 if !is_last => {
            let (held, ones) = probe(config, at, offset + 4, u32::MAX);
            mask |= u64::from(ones) << 32;
            address |= u64::from(held) << 32;
            (bar(register, BarKind::Memory { wide: true, prefetchable }, mask, address), 2)
        }
        WIDTH_64 => {
            findings.bar_malformed(at, register, "64-bit BAR without an upper half");
            (None, 1)
        }
        width => {
            let wrong = if width == WIDTH_1_MIB {
                "requires an address below 1 MiB, which PCI 3.0 withdrew"
            } else {
                "reserved width"
            };
            findings.bar_malformed(at, register, wrong);
            (None, 1)
        }
    }
}

fn measure_rom(config: &mut dyn ConfigAccess, at: PciAddress, offset: u16) -> Option<Bar> {
    // The lowest bit enables the ROM and stays off.
    let (held, ones) = probe(config, at, offset, ROM_ADDRESS);
    let kind = BarKind::Memory { wide: false, prefetchable: false };
    // A disabled ROM has no address, whatever the register contains: firmware may leave its measurement there (EDK2
    // 2022.11).
    let address = if held & ROM_ENABLE == 0 { 0 } else { held & ROM_ADDRESS };
    bar(BarRegister::Rom, kind, (ones & ROM_ADDRESS).into(), address.into())
}

/// Writes `ones`. Returns the previous value, which is restored, and the value read back.
fn probe(config: &mut dyn ConfigAccess, at: PciAddress, offset: u16, ones: u32) -> (u32, u32) {
    let held = config.read32(at, offset);
    config.write32(at, offset, ones);
    let answer = config.read32(at, offset);
    if answer != held {
        config.write32(at, offset, held);
    }
    (held, answer)
}

/// The lowest address bit that can be set is the size. Without one, the BAR is not implemented.
fn bar(register: BarRegister, kind: BarKind, mask: u64, held: u64) -> Option<Bar> {
    let size = mask & mask.wrapping_neg();
    let bus_address = Some(held).filter(|address| *address != 0);
    (size != 0).then_some(Bar { register, kind, size, count: 1, bus_address, cpu: None })
}
