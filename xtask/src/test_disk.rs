//! Disks with known content, for devices that transfer data (`dma=on`).
//!
//! A drive whose name begins with [`NAME`] and that no argument defines is a file of the run directory. After the
//! run, the file shows whether what the kernel wrote has arrived, and nothing else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use dma::test_disk::{SCRATCH, SECTOR_SIZE, SECTORS, WRITTEN, sector, written_sector};
use report::Report;

use crate::outcome::{Kind, Outcome};

/// How the name of such a drive begins.
pub(crate) const NAME: &str = "test-disk";

/// The QEMU option that defines the drive.
pub(crate) fn option(drive: &str) -> String {
    format!("driver=raw,node-name={drive},file.driver=file,file.filename={}", file(drive))
}

/// The file of a drive, in the run directory.
fn file(drive: &str) -> String {
    format!("{drive}.img")
}

/// The content of each disk before the run.
fn content() -> Vec<u8> {
    (0..SECTORS).flat_map(sector).collect()
}

/// Writes the disks.
///
/// # Errors
///
/// A file cannot be written.
pub(crate) fn write<'a>(directory: &Path, drives: impl Iterator<Item = &'a str>) -> Result<()> {
    for drive in drives {
        fs::write(directory.join(file(drive)), content())
            .with_context(|| format!("cannot write {}", file(drive)))?;
    }
    Ok(())
}

/// Fails a run whose disks are not as its report says.
///
/// # Errors
///
/// A file cannot be read.
pub(crate) fn check<'a>(
    directory: &Path,
    drives: impl Iterator<Item = &'a str>,
    outcome: &mut Outcome,
) -> Result<()> {
    let disks = drives.map(|drive| {
        let bytes = fs::read(directory.join(file(drive)));
        Ok((drive, bytes.with_context(|| format!("cannot read {}", file(drive)))?))
    });
    let differences = differences(&disks.collect::<Result<Vec<_>>>()?, &outcome.report);
    if !differences.is_empty() {
        outcome.report.fail_for(differences);
        if outcome.kind == Kind::Pass {
            outcome.kind = Kind::Fail;
        }
    }
    Ok(())
}

/// What is wrong with the disks, each with its content, after a run with this report.
fn differences(disks: &[(&str, Vec<u8>)], report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut arrived = 0;
    for (drive, bytes) in disks {
        let original = content();
        if bytes.len() != original.len() {
            found.push(format!("{drive} has {} bytes, expected {}", bytes.len(), original.len()));
            continue;
        }
        let sectors = bytes.chunks(SECTOR_SIZE).zip(original.chunks(SECTOR_SIZE)).enumerate();
        for (number, (is, was)) in sectors.take(SCRATCH).filter(|(_, (is, was))| is != was) {
            if number == WRITTEN && is == written_sector(WRITTEN) {
                arrived += 1;
            } else {
                let offset = is.iter().zip(was).position(|(is, was)| is != was).unwrap_or_default();
                found.push(format!("{drive}: sector {number} was changed, first at byte {offset}"));
            }
        }
    }
    let transfers = report.dma.iter().flat_map(|device| &device.transfers);
    let reported = transfers.filter(|transfer| transfer.what == format!("write sector {WRITTEN}")).count();
    if reported != arrived {
        found.push(format!("{reported} devices wrote sector {WRITTEN}, it arrived on {arrived} disks"));
    }
    found
}

#[cfg(test)]
mod tests;
