//! The check of real Linux kernels: each must be named by the path that models it.
//!
//! They are large, so that nothing is downloaded for it. `scripts/fetch-linux` gets them.

use std::env;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::checked::Verdict;
use crate::cli::{Cli, Command, Common, TestArgs};
use crate::linux;
use crate::outcome::Stop;
use crate::paths::Paths;

/// Names a directory with kernels: in each folder, named by its version, one kernel or its packages.
pub(super) const VARIABLE: &str = "IOGROUPS_LINUX_KERNELS";
/// Where `scripts/fetch-linux` puts them, below the user's cache.
const CACHE: &str = "iogroups/linux";
/// The machine: every path gives other groups there.
const MACHINE: &str = "pcie-pci-bridge";

/// The kernels that are modelled by a path, as far as they are there: version, path, folder.
fn kernels(place: &Path, paths: &Paths) -> Vec<(probe::Path, PathBuf)> {
    let linux = probe::Path::ALL.into_iter().filter(|path| *path != probe::Path::Fixed);
    let folder = |path: probe::Path| (path, place.join(paths.linux(path)));
    linux.map(folder).filter(|(_, folder)| folder.is_dir()).collect()
}

/// Where kernels are looked for.
pub(super) fn place() -> Option<PathBuf> {
    let cache = || {
        let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
        Some(env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join(CACHE))
    };
    env::var_os(VARIABLE).map(PathBuf::from).or_else(cache)
}

/// Boots them.
pub(super) fn verdict(_: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let (place, paths) = (place().unwrap_or_default(), Paths::read()?);
    let kernels = kernels(&place, &paths);
    if kernels.is_empty() {
        let found = if place.is_dir() { "has none of the kernels that paths model" } else { "is not there" };
        let cure = format!("scripts/fetch-linux gets them, {VARIABLE} names another directory");
        return Ok(Verdict::Skipped(format!("{} {found}; {cure}", place.display())));
    }
    let differences = kernels.iter().filter_map(|(path, folder)| difference(common, *path, folder));
    Ok(Verdict::of(differences.collect()))
}

/// What a kernel is like instead of the path that models it.
fn difference(common: &Common, path: probe::Path, folder: &Path) -> Option<String> {
    let kernel = folder.display().to_string();
    let words = ["xtask", "linux", "--kernel", &kernel, "--topology", MACHINE, "--no-setup"];
    let mut command = match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Linux(command)) => command,
        other => return Some(format!("the command line is not understood: {other:?}")),
    };
    command.common = common.clone();
    match linux::paths_of(&command) {
        Ok(paths) if paths == [path] => None,
        Ok(paths) => {
            let words: Vec<&str> = paths.iter().map(|path| path.word()).collect();
            Some(format!("{kernel}: expected like {}, is like {words:?}", path.word()))
        }
        Err(stop) => Some(format!("{kernel}: {}", stop.message)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn kernels_are_found_by_the_versions_that_paths_model() {
        let (place, paths) = (tempfile::tempdir().unwrap(), Paths::read().unwrap());
        let found = || kernels(place.path(), &paths).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert!(found().is_empty());
        for version in [paths.linux(probe::Path::Legacy), "5.10"] {
            fs::create_dir(place.path().join(version)).unwrap();
        }
        assert_eq!(found(), [probe::Path::Legacy]);
    }
}
