//! The kernel's log, a line for each record.

use crate::console::Console;
use crate::system::{Errno, File, NON_BLOCKING, READ_ONLY};

/// Longest record (`PRINTKRECORD_MAX` is 2048).
const RECORD_LIMIT: usize = 8192;

pub(crate) fn print(console: &mut Console) {
    let Ok(log) = File::open(c"/dev/kmsg", READ_ONLY | NON_BLOCKING) else { return };
    let mut buffer = [0; RECORD_LIMIT];
    loop {
        match log.read(&mut buffer) {
            Ok(length @ 1..) => record(console, &buffer[..length]),
            Err(Errno::OVERWRITTEN) => (),
            Ok(_) | Err(_) => return,
        }
    }
}

/// `priority,sequence,microseconds,flags;text`, and lines with the device, which begin with a space.
fn record(console: &mut Console, record: &[u8]) {
    let line = record.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(at) = line.iter().position(|byte| *byte == b';') else { return };
    console.start();
    console.bytes(b"log ");
    console.bytes(&line[at + 1..]);
    console.end();
}
