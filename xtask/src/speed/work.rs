//! What a boot makes the emulator do: guest code translated, and guest instructions executed.
//!
//! QEMU translates a block of guest code before it runs it for the first time. In a boot most code runs once, so that
//! translating it is most of what the boot costs, whatever the host. Both figures are the same in every run on one
//! QEMU, but for a few instructions that print the time.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::boot::Boot;
use crate::image::Kernel;
use crate::outcome::{Kind, Outcome, Stop};
use crate::run::Log;

/// The work of one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Work {
    /// Guest instructions translated; those in two blocks count twice.
    pub(crate) translated: u64,
    /// Blocks of guest code that they were translated in.
    pub(crate) blocks: u64,
    /// Guest instructions executed from reset to the report, in thousands.
    pub(crate) executed_thousand: u64,
}

impl Work {
    /// Boots twice, as QEMU's clock that counts instructions cuts blocks otherwise.
    ///
    /// # Errors
    ///
    /// A boot does not pass, or QEMU's log cannot be read.
    pub(crate) fn measure(boot: &Boot, kernel: &Kernel, deadline: Duration) -> Result<Self, Stop> {
        let place = tempfile::tempdir().context("no directory for QEMU's log")?;
        let log = place.path().join("in_asm.log");
        let name = log.display().to_string();
        let with = |arguments: &[&str]| {
            let mut boot = boot.clone();
            boot.machine.devices.extend(arguments.iter().map(|&argument| argument.to_owned()));
            passed(boot.run(kernel, Some(deadline), &Log::Hidden)?)
        };
        with(&["-d", "in_asm,nochain", "-D", &name])?;
        let log = File::open(&log).with_context(|| format!("QEMU wrote no log to {name}"))?;
        let (translated, blocks) =
            translated(BufReader::new(log)).with_context(|| format!("cannot read {name}"))?;
        let counted = with(&["-icount", "shift=0,sleep=off"])?;
        // With `shift=0` each instruction takes a nanosecond.
        Ok(Self { translated, blocks, executed_thousand: counted.report.timing_us.total })
    }
}

fn passed(outcome: Outcome) -> Result<Outcome, Stop> {
    if outcome.kind == Kind::Pass {
        return Ok(outcome);
    }
    Err(Stop { kind: outcome.kind, message: outcome.report.to_string() })
}

/// Counts the instructions and the blocks in a log of `-d in_asm`.
///
/// A block begins with `IN:`, and an instruction is a line with its address and a colon. A QEMU that was built without
/// a disassembler writes all bytes of a block behind `OBJD-T:`.
fn translated(log: impl BufRead) -> std::io::Result<(u64, u64)> {
    let (mut instructions, mut blocks) = (0, 0);
    for line in log.split(b'\n') {
        let line = line?;
        if line.starts_with(b"IN:") {
            blocks += 1;
        } else if let Some(bytes) = line.strip_prefix(b"OBJD-T: ") {
            instructions += bytes.iter().filter(|byte| byte.is_ascii_hexdigit()).count() as u64 / 8;
        } else if line.strip_prefix(b"0x").is_some_and(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            digits > 0 && rest.get(digits) == Some(&b':')
        }) {
            instructions += 1;
        }
    }
    Ok((instructions, blocks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_with_a_disassembler_and_without_one() {
        let with = "----------------\nIN: \n0x40000000:  580000c0  ldr      x0, #0x40000018\n\
                    0x40000004:  aa1f03e1  mov      x1, xzr\n\n----------------\nIN: main\n0x40200000:  d65f03c0  ret\n";
        assert_eq!(translated(with.as_bytes()).unwrap(), (3, 2));
        let without = "----------------\nIN: \nOBJD-T: 580000c0aa1f03e1\n\n";
        assert_eq!(translated(without.as_bytes()).unwrap(), (2, 1));
    }
}
