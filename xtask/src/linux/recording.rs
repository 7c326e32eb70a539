//! Writes answers as the files in `xtask/linux/expected`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::judgement::Judged;
use super::listing;
use super::machines::Subject;
use super::record::{self, About, Varies};
use crate::output;

/// The reason for an answer that varies, if the file that is replaced does not contain one.
const UNEXPLAINED: &str = "varies from run to run";

/// Writes a file for each machine whose kernel listed its groups, or ended before that. If a file that is replaced
/// describes an answer that varies, the description is kept, because one boot does not show it.
///
/// # Errors
///
/// A file cannot be written.
pub(super) fn write(place: &Path, judged: &[Judged], subjects: &[Subject], qemu: &str) -> Result<()> {
    let place = output::workspace().join(place);
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let release = judged.iter().find_map(|one| one.release.as_deref());
    let linux = release.context("--record: no boot listed the version of the kernel")?;
    let linux = listing::version(linux);
    // `7.2.22 (Debian ...)` is 7.2.22.
    let qemu = qemu.split_whitespace().next().unwrap_or(qemu);
    for (one, subject) in judged.iter().zip(subjects).filter(|(one, _)| !one.status.is_unable()) {
        let by_tables = subject.firmware.is_acpi();
        let about = About { topology: &subject.topology.name, by_tables, linux, qemu };
        let file = place.join(format!("{}{linux}.json", subject.recorded_prefix()));
        let text = match &one.listing {
            Some(listing) => record::of_listing(&about, listing, varies(one, &file)),
            None => record::of_failure(&about, &failure(one)),
        };
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn failure(one: &Judged) -> String {
    format!("{}: {}", one.status.word(), one.why.as_deref().unwrap_or_default())
}

/// The partitions that were seen, now and in the file that is replaced; none if there is only one.
fn varies(one: &Judged, file: &Path) -> Option<Varies> {
    let before = fs::read_to_string(file).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let known = before.as_ref().and_then(|before| before.get("one_of")).cloned();
    let mut one_of: Vec<Vec<Vec<String>>> =
        known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
    if !one.partitions.is_empty() || !one_of.is_empty() {
        for (partition, _) in &one.partitions {
            if !one_of.iter().any(|known| same(known, partition)) {
                one_of.push(partition.clone());
            }
        }
    }
    let why = before.as_ref().and_then(|before| before.get("unstable")?.as_str()).unwrap_or(UNEXPLAINED);
    (!one_of.is_empty()).then(|| Varies { why: why.to_owned(), one_of })
}

/// Whether two partitions have the same groups.
fn same(one: &[Vec<String>], other: &[Vec<String>]) -> bool {
    one.len() == other.len() && one.iter().all(|group| other.contains(group))
}
