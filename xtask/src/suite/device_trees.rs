//! The check of real device trees: those in a Linux package of the cache, read twice.

use std::fs;
use std::path::PathBuf;

use super::checked::Verdict;
use super::linux_kernels::{VARIABLE, place};
use crate::check::SecondReading;
use crate::cli::{Common, TestArgs};
use crate::outcome::Stop;

/// Most differences that are printed.
const SHOWN: usize = 20;

/// The packages in the folders of the cache, by their paths.
fn packages(place: &std::path::Path) -> Vec<PathBuf> {
    let entries = |place: PathBuf| {
        fs::read_dir(place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
    };
    let mut packages: Vec<PathBuf> =
        entries(place.to_owned()).filter(|path| path.is_dir()).flat_map(entries).collect();
    packages.retain(|path| path.extension().is_some_and(|ending| ending == "deb" || ending == "rpm"));
    packages.sort();
    packages
}

/// Reads the trees of the first package that has some.
pub(super) fn verdict(_: &TestArgs, _: &Common) -> Result<Verdict, Stop> {
    let place = place().unwrap_or_default();
    for package in packages(&place) {
        let SecondReading { trees, entries, mut differences } = SecondReading::of_trees(&package)?;
        if trees == 0 {
            continue;
        }
        if entries == 0 {
            differences.push(format!("{}: no entry in {trees} trees", package.display()));
        }
        let more = differences.len().saturating_sub(SHOWN);
        differences.truncate(SHOWN);
        differences.extend((more > 0).then(|| format!("{more} more differences")));
        return Ok(Verdict::of(differences));
    }
    let cure = format!("scripts/fetch-linux gets one, {VARIABLE} names another directory");
    Ok(Verdict::Skipped(format!("{} has no package with device trees; {cure}", place.display())))
}
