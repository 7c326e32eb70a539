//! Enables as many virtual functions as the kernel's command line asks for, on every function that can have any.

use core::str;

use crate::command_line;
use crate::console::Console;
use crate::path::Path;
use crate::system::{Errno, File, WRITE_ONLY};
use crate::watched::{self, End};

/// The word of the command line.
const WORD: &[u8] = b"iogroups.vfs=";

pub(crate) fn enable(console: &mut Console) {
    command_line::value(WORD, |count| enable_as_many(count, console));
}

fn enable_as_many(count: &[u8], console: &mut Console) {
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
