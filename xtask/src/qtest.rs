//! QEMU's test protocol, which reads and writes the memory of a machine from outside (QEMU, `system/qtest.c`; tried
//! with 7.2, 10.0 and 11.1).

use std::io::{BufRead, Write};

use anyhow::{Context, Result, ensure};

/// Configuration space of the `virt` machine, with and without `highmem-ecam` (QEMU, `hw/arm/virt.c`).
pub(crate) const ECAM: u64 = 0x40_1000_0000;
pub(crate) const LOW_ECAM: u64 = 0x3f00_0000;

/// A connection to a QEMU with `-qtest`.
pub(crate) struct Qtest<W, R> {
    commands: W,
    answers: R,
}

impl<W: Write, R: BufRead> Qtest<W, R> {
    pub(crate) fn new(commands: W, answers: R) -> Self {
        Self { commands, answers }
    }

    /// Does one command. Returns what follows `OK`.
    ///
    /// # Errors
    ///
    /// QEMU is gone, or refuses the command.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.commands, "{command}").context("QEMU does not accept commands")?;
        self.commands.flush().context("QEMU does not accept commands")?;
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(self.answers.read_line(&mut line)? > 0, "QEMU ended at {command}");
            if let Some(answer) = line.strip_prefix("OK") {
                return Ok(answer.trim().to_owned());
            }
            ensure!(!line.starts_with("FAIL") && !line.starts_with("ERR"), "{command}: {}", line.trim());
        }
    }

    /// Reads 32 bits of memory.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn read_word(&mut self, at: u64) -> Result<u32> {
        let answer = self.ask(&format!("readl {at:#x}"))?;
        let digits = answer.strip_prefix("0x").unwrap_or(&answer);
        Ok(u64::from_str_radix(digits, 16)? as u32)
    }

    /// Writes 32 bits of memory.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn write_word(&mut self, at: u64, value: u32) -> Result<()> {
        self.ask(&format!("writel {at:#x} {value:#x}")).map(drop)
    }

    /// Writes 16 bits of memory.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub(crate) fn write_half(&mut self, at: u64, value: u16) -> Result<()> {
        self.ask(&format!("writew {at:#x} {value:#x}")).map(drop)
    }
}
