//! Loads the modules that `/modules` lists, in its order. The host has put dependencies before dependents.

use core::str;

use crate::console::Console;
use crate::path::Path;
use crate::system::{File, READ_ONLY};
use crate::watched::{self, End};

/// Longest list that is read.
const LIST_LIMIT: usize = 16 << 10;

pub(crate) fn load(console: &mut Console) {
    let mut buffer = [0; LIST_LIMIT];
    let Ok(list) = Path::new(b"/modules").read(&mut buffer) else { return };
    for name in list.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()) {
        let shown = str::from_utf8(name).unwrap_or("?");
        console.line(format_args!("module {shown}"));
        let file = Path::new(b"/m").join(name);
        let end = watched::run(|| File::open(file.as_c_str(), READ_ONLY)?.load_module());
        if !matches!(end, End::Done) {
            console.line(format_args!("module-failed {shown} {end}"));
        }
    }
}
