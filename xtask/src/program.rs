//! Programs: which QEMU is run, and where a program is.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The QEMU that is run if nobody names another.
pub(crate) const QEMU: &str = "qemu-system-aarch64";

/// The QEMU that `--qemu` names, or the usual one.
pub(crate) fn qemu(chosen: Option<&Path>) -> String {
    chosen.map_or(QEMU.into(), absolute)
}

/// A path that means the same in the run directory; a bare name is looked for in PATH.
pub(crate) fn absolute(program: &Path) -> String {
    let is_name = program.components().count() == 1 && !program.is_absolute() && !program.exists();
    let path = if is_name {
        program.into()
    } else {
        std::path::absolute(program).unwrap_or_else(|_| program.into())
    };
    path.display().to_string()
}

/// Where a shell would find a program.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    search(program, env::var_os("PATH")?)
}

fn search(program: &str, path: OsString) -> Option<PathBuf> {
    env::split_paths(&path).map(|place| place.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_path_says() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("tool"), "").unwrap();
        assert_eq!(search("tool", place.path().into()), Some(place.path().join("tool")));
        assert_eq!(search("other", place.path().into()), None);
    }
}
