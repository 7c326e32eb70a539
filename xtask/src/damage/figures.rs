//! What many boots with damage came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::boot::DamagedBoot;
use super::verdict::Verdict;
use crate::cli::DamageArgs;
use crate::output;

/// The number of failures, and of changes without a finding, that are listed at the end.
const NAMED: usize = 20;

/// What all boots came to.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) boots: u64,
    /// By machine and verdict.
    counts: BTreeMap<(String, &'static str), u64>,
    pub(super) failures: Vec<DamagedBoot>,
    /// Numbers of boots with other groups or devices and no finding.
    pub(super) others: Vec<u64>,
    /// Errors without their numbers, how many there were of each, and the first boot that had it.
    errors: BTreeMap<String, (u64, u64)>,
    slowest: (Duration, u64),
}

impl Figures {
    pub(super) fn add(&mut self, done: DamagedBoot) {
        self.boots += 1;
        *self.counts.entry((done.machine.clone(), done.verdict.word())).or_default() += 1;
        self.slowest = self.slowest.max((done.took, done.number));
        if done.verdict == Verdict::Other {
            self.others.push(done.number);
        }
        if let Verdict::Error(error) = &done.verdict {
            self.errors.entry(without_numbers(error)).or_insert((0, done.number)).0 += 1;
        }
        if done.verdict.is_failure() {
            self.failures.push(done);
        }
    }

    fn by_verdict(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for ((_, verdict), count) in &self.counts {
            *all.entry(*verdict).or_default() += count;
        }
        all
    }

    pub(super) fn text(&self, options: &DamageArgs) -> String {
        let mut text = format!("{} boots with damage, seed {}\n", self.boots, options.seed);
        for (verdict, count) in self.by_verdict() {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{count:7} {verdict}");
        }
        let mut machine = "";
        for ((name, verdict), count) in &self.counts {
            if name != machine {
                let _ = writeln!(text, "{name}");
                machine = name;
            }
            let _ = writeln!(text, "{count:7} {verdict}");
        }
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        let _ =
            writeln!(text, "{} different errors, by their count, with one boot that has it", errors.len());
        for (error, (count, number)) in errors.into_iter().take(NAMED) {
            let _ = writeln!(text, "{count:7} (boot {number}) {error}");
        }
        let (took, number) = self.slowest;
        let _ = writeln!(text, "slowest: boot {number}, {:.1} s", took.as_secs_f32());
        if !self.others.is_empty() {
            let some: Vec<String> = self.others.iter().take(NAMED).map(u64::to_string).collect();
            let _ = writeln!(text, "other report without a finding: boots {}", some.join(" "));
        }
        for done in self.failures.iter().take(NAMED) {
            if let Verdict::Failed(kind, why) = &done.verdict {
                let why = why.lines().next().unwrap_or_default();
                let _ =
                    writeln!(text, "FAILED boot {} on {}: {}: {why}", done.number, done.machine, kind.word());
                let _ = writeln!(text, "  {}", repeat(options, done.number));
            }
        }
        let _ = writeln!(
            text,
            "{} passed, {} failed",
            self.boots - self.failures.len() as u64,
            self.failures.len()
        );
        text
    }

    pub(super) fn to_json(&self, options: &DamageArgs) -> Value {
        let failures: Vec<Value> = self
            .failures
            .iter()
            .map(|done| {
                let Verdict::Failed(kind, why) = &done.verdict else { return Value::Null };
                json!({
                    "boot": done.number,
                    "machine": done.machine,
                    "damage": done.how,
                    "outcome": kind.word(),
                    "error": why,
                    "command": repeat(options, done.number),
                })
            })
            .collect();
        json!({
            "schema": "iogroups-damage/1",
            "seed": options.seed,
            "boots": self.boots,
            "verdicts": self.by_verdict(),
            "slowest_seconds": self.slowest.0.as_secs_f32(),
            "other_without_finding": self.others,
            "failures": failures,
        })
    }
}

/// The command that repeats one boot.
pub(super) fn repeat(options: &DamageArgs, number: u64) -> String {
    let mut words = vec!["cargo".to_owned(), "xtask".into(), "damage".into()];
    words.extend(["--seed".into(), options.seed.to_string(), "--only".into(), number.to_string()]);
    for name in &options.topology {
        words.extend(["--topology".into(), name.clone()]);
    }
    for firmware in &options.firmware {
        words.extend(["--firmware".into(), firmware.word().into()]);
    }
    if let Some(qemu) = &options.common.qemu {
        words.extend(["--qemu".into(), qemu.display().to_string()]);
    }
    output::shell_line(words)
}

/// An error's first line with `#` in place of each number, so that equal ones can be counted.
pub(super) fn without_numbers(error: &str) -> String {
    let words =
        error.lines().next().unwrap_or_default().split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let short = |word: &str| {
        let (text, rest) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        let text = if text.starts_with(|c: char| c.is_ascii_digit()) { "#" } else { text };
        format!("{text}{rest}")
    };
    words.map(short).collect()
}
