//! What QEMU offers to firmware by fw_cfg, read from a machine that does not run.
//!
//! Buses are numbered first, as QEMU writes the numbers that it sees into VIOT when a table is read for the first time.

use std::io::BufReader;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::tables::Files;
use crate::qtest::{ECAM, Qtest};

/// Where the `virt` machine has fw_cfg and its RAM (QEMU, `hw/arm/virt.c`).
const FW_CFG: u64 = 0x0902_0000;
const RAM: u64 = 0x4000_0000;

/// Key of the directory, and bytes of one of its entries behind the count (QEMU, `docs/specs/fw_cfg.rst`).
const DIRECTORY: u16 = 0x19;
const ENTRY_SIZE: usize = 64;
/// Entries that are looked at.
const ENTRY_LIMIT: usize = 256;

/// Words of configuration space with the header type, and with the numbers of a bridge (PCI Local Bus 3.0, 6.1).
const HEADER_TYPE: u64 = 0xc;
const BUS_NUMBERS: u64 = 0x18;

/// Control word of a request: select the item and read it.
const SELECT_AND_READ: u32 = 1 << 3 | 1 << 1;

/// A machine that waits for commands.
struct Machine {
    child: Child,
    memory: Qtest<ChildStdin, BufReader<ChildStdout>>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ACPI files of the machine that `words`, program first, would make.
pub(super) fn acpi_files(words: &[String]) -> Result<Files> {
    let [program, arguments @ ..] = words else { bail!("there is nothing to run") };
    let mut child = Command::new(program)
        .args(arguments)
        .args(["-S", "-qtest", "stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let commands = child.stdin.take().context("no way to QEMU")?;
    let answers = BufReader::new(child.stdout.take().context("no way from QEMU")?);
    let mut machine = Machine { child, memory: Qtest::new(commands, answers) };
    machine.number_buses()?;
    let directory = machine.item(DIRECTORY, 4 + ENTRY_LIMIT * ENTRY_SIZE)?;
    let mut file = |name: &str| {
        let entries = directory[4..].chunks_exact(ENTRY_SIZE);
        let entry = entries
            .into_iter()
            .find(|entry| entry[8..].starts_with(name.as_bytes()) && entry[8 + name.len()] == 0);
        let entry = entry.with_context(|| format!("QEMU has no {name}"))?;
        let size = u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]) as usize;
        machine.item(u16::from_be_bytes([entry[4], entry[5]]), size)
    };
    // The first read makes the tables, and the sizes in the directory are those of then.
    Ok(Files {
        loader: file("etc/table-loader")?,
        rsdp: file("etc/acpi/rsdp")?,
        tables: without_padding(file("etc/acpi/tables")?),
    })
}

/// QEMU fills the tables up with zeros, to 128 KiB at least. The last table may end in some of its own.
fn without_padding(mut tables: Vec<u8>) -> Vec<u8> {
    let end = tables.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    tables.truncate(end.next_multiple_of(4096));
    tables
}

impl Machine {
    /// An item of fw_cfg, by its DMA interface, whose registers are big-endian.
    fn item(&mut self, key: u16, size: usize) -> Result<Vec<u8>> {
        let (request, place) = (RAM, RAM + 0x1000);
        let control = u32::from(key) << 16 | SELECT_AND_READ;
        self.memory.ask(&format!("write {request:#x} 0x10 0x{control:08x}{size:08x}{place:016x}"))?;
        self.memory.write_word(FW_CFG + 0x10, ((request >> 32) as u32).swap_bytes())?;
        self.memory.write_word(FW_CFG + 0x14, (request as u32).swap_bytes())?;
        ensure!(self.memory.read_word(request)? == 0, "fw_cfg does not give item {key:#x}");
        let answer = self.memory.ask(&format!("read {place:#x} {size:#x}"))?;
        let digits = answer.strip_prefix("0x").unwrap_or(&answer).as_bytes();
        let bytes = digits
            .chunks_exact(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Into::into));
        bytes.collect()
    }

    /// Numbers all buses, those behind other root buses too.
    fn number_buses(&mut self) -> Result<()> {
        let mut next = 0;
        while next < 256 {
            next = self.number_below(next)? + 1;
        }
        Ok(())
    }

    /// Numbers what is behind `bus` and gives the last bus there.
    fn number_below(&mut self, bus: u64) -> Result<u64> {
        let mut last = bus;
        for device in 0..32_u64 {
            let slot = ECAM + (bus << 20) + (device << 15);
            if self.memory.read_word(slot)? == u32::MAX {
                continue;
            }
            let functions = if self.header_type(slot)? & 0x80 != 0 { 8 } else { 1 };
            for config in (0..functions).map(|function| slot + (function << 12)) {
                let is_bridge =
                    self.memory.read_word(config)? != u32::MAX && self.header_type(config)? & 0x7f == 1;
                if is_bridge && last < 255 {
                    let secondary = last + 1;
                    let numbers = bus | secondary << 8;
                    self.memory.write_word(config + BUS_NUMBERS, (numbers | 255 << 16) as u32)?;
                    last = self.number_below(secondary)?;
                    self.memory.write_word(config + BUS_NUMBERS, (numbers | last << 16) as u32)?;
                }
            }
        }
        Ok(last)
    }

    fn header_type(&mut self, config: u64) -> Result<u32> {
        Ok(self.memory.read_word(config + HEADER_TYPE)? >> 16 & 0xff)
    }
}
