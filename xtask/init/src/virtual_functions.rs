//! Enables as many virtual functions as the kernel's command line asks for, on every function that can have any.

use core::str;

use crate::console::Console;
use crate::path::Path;
use crate::system::{Errno, File, WRITE_ONLY};
use crate::watched::{self, End};

/// The word of the command line. The dot makes the kernel pass over it without a warning.
const WORD: &[u8] = b"iogroups.vfs=";
/// Longest command line that is read; arm64 has 2048 bytes.
const COMMAND_LINE_LIMIT: usize = 4096;

pub(crate) fn enable(console: &mut Console) {
    let mut buffer = [0; COMMAND_LINE_LIMIT];
    let Ok(words) = Path::new(b"/proc/cmdline").read(&mut buffer) else { return };
    let mut values = words.split(u8::is_ascii_whitespace).filter_map(|word| word.strip_prefix(WORD));
    let Some(count) = values.next_back() else { return };
    let devices = Path::new(b"/sys/bus/pci/devices");
    devices.for_each_entry(|name| {
        let file = devices.join(name).join(b"sriov_numvfs");
        if !file.exists() {
            return;
        }
        let end = watched::run(|| {
            let written = File::open(file.as_c_str(), WRITE_ONLY)?.write(count)?;
            if written == count.len() { Ok(()) } else { Err(Errno::AGAIN) }
        });
        if !matches!(end, End::Done) {
            console.line(format_args!("vfs-failed {} {end}", str::from_utf8(name).unwrap_or("?")));
        }
    });
}
