//! The head of the page: the verdict, how many checks ended how, and what ran.

use chrono::DateTime;

use crate::cli::WhichLogs;
use crate::results::{BootTimes, Results};

/// The head of the page.
pub(super) struct Summary {
    pub(super) verdict: &'static str,
    /// Its class in the style.
    pub(super) class: &'static str,
    pub(super) counts: String,
    /// Names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What the page does not contain.
    pub(super) left_out: &'static str,
}

impl Summary {
    pub(super) fn of(results: &Results, logs: WhichLogs) -> Self {
        let (verdict, class) = if results.exit_status == 0 { ("PASS", "pass") } else { ("FAIL", "fail") };
        let Results { passed, failed, skipped, .. } = results;
        let mut facts = Vec::new();
        let began = i64::try_from(results.began).ok().and_then(|began| DateTime::from_timestamp(began, 0));
        facts.extend(began.map(|began| ("Began", began.format("%Y-%m-%d %H:%M UTC").to_string())));
        facts.push(("Took", seconds(results.seconds)));
        facts.extend(results.boots.as_ref().map(|boots| ("Boots", boots_text(boots))));
        facts.extend(results.qemus.iter().map(|version| ("QEMU", version.clone())));
        Self {
            verdict,
            class,
            counts: format!("{passed} passed, {failed} failed, {skipped} skipped"),
            facts,
            left_out: match logs {
                WhichLogs::All => "",
                WhichLogs::Failed => "Logs of boots that passed are left out; --logs all has them.",
                WhichLogs::None => "Logs are left out; --logs failed or all has them.",
            },
        }
    }
}

fn boots_text(boots: &BootTimes) -> String {
    let BootTimes { count, seconds: took, qemu_seconds, .. } = boots;
    format!(
        "{count} in {}, {:.2} times the {} of their QEMUs alone",
        seconds(*took),
        boots.ratio(),
        seconds(*qemu_seconds)
    )
}

/// A time as the page shows it.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.0} s") }
}
