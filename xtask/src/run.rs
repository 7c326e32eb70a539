//! One run of QEMU with our kernel: its deadline, its log, its report, and what to think of how it ended.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fs;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use report::Report;

use crate::hot_plug::{SlotChange, SlotChanges};
use crate::outcome::{Kind, Outcome, Stop, UNTRANSLATED};
use crate::process::{self, Next, OutputSource};
use crate::qemu::REPORT_FILE;

/// How a report begins, wherever it is written.
const REPORT_START: &str = "{\"schema\":";
/// As many last lines of the log are shown when a run went wrong.
const LAST_LINES: usize = 24;
/// Largest report file that is read.
const REPORT_LIMIT: u64 = 64 << 20;

/// Where the log of a run goes, beside its last lines in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Nowhere.
    Hidden,
    /// To standard error while it comes.
    Shown,
    /// To this file, together with the output of QEMU.
    Kept(PathBuf),
}

/// What to run, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    /// The command, program first.
    pub(crate) words: &'a [String],
    /// Where it runs.
    pub(crate) directory: &'a Path,
    /// When it is stopped; never, if none.
    pub(crate) deadline: Option<Duration>,
    /// Whether the exit status must agree with the report. A guest that ends through PSCI cannot choose it.
    pub(crate) status_counts: bool,
    /// Where the log goes.
    pub(crate) log: &'a Log,
    /// Devices to plug in and out when the kernel asks for it.
    pub(crate) slot_changes: &'a [SlotChange],
}

/// How a run ended; its lines never end it.
type End = process::End<Infallible>;

/// What a run left behind.
#[derive(Default)]
struct Traces {
    /// Last lines of the log, the oldest first.
    last: VecDeque<String>,
    /// Whether the guest wrote anything.
    guest_spoke: bool,
    /// The last line that looks like a report, from the serial port.
    report: Option<String>,
    /// As [`Outcome::log`].
    as_linux: BTreeSet<String>,
}

impl Run<'_> {
    /// Runs to the end or to the deadline and judges how it ended.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started or refuses its arguments, or the run was interrupted.
    pub(crate) fn outcome(&self) -> Result<Outcome, Stop> {
        let started = Instant::now();
        let (end, traces) = self.watch()?;
        let took = started.elapsed();
        let written = self.written_report();
        let outcome = self.judge(end, &traces, written.as_deref().or(traces.report.as_deref()))?;
        Ok(Outcome { took, ..outcome })
    }

    /// Runs to the end and returns how long it took. The exit status must be 0; the report is not read.
    ///
    /// # Errors
    ///
    /// As [`Self::outcome`], and a run that does not end by itself with status 0.
    pub(crate) fn time(&self) -> Result<Duration, Stop> {
        let started = Instant::now();
        let (end, traces) = self.watch()?;
        match end {
            End::Exited(status) if status.success() => Ok(started.elapsed()),
            End::Exited(status) => Err(Stop::unable(format!("the run ended with {status}{traces}"))),
            End::Deadline(_) => Err(Stop::unable(format!("the run did not end{traces}"))),
        }
    }

    /// Starts QEMU, reads its output and waits for its end.
    fn watch(&self) -> Result<(End, Traces), Stop> {
        let mut traces = Traces::default();
        let mut slots = SlotChanges::new(self.directory, self.slot_changes);
        let mut kept = match self.log {
            Log::Kept(path) => {
                Some(BufWriter::new(fs::File::create(path).map_err(|error| unwritten(path, &error))?))
            }
            Log::Hidden | Log::Shown => None,
        };
        let end = process::run(self.words, self.directory, self.deadline, |source, line| {
            if let (Log::Kept(path), Some(file)) = (self.log, &mut kept) {
                writeln!(file, "{line}").map_err(|error| unwritten(path, &error))?;
            }
            if source == OutputSource::Guest {
                slots.follow(&line)?;
            }
            traces.add(source, line, *self.log == Log::Shown);
            Ok(Next::Read)
        })?;
        Ok((end, traces))
    }

    /// The last line in the report file that looks like a report.
    fn written_report(&self) -> Option<String> {
        let mut text = Vec::new();
        let file = fs::File::open(self.directory.join(REPORT_FILE)).ok()?;
        file.take(REPORT_LIMIT).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        text.lines().rfind(|line| line.starts_with(REPORT_START)).map(String::from)
    }

    fn judge(&self, end: End, traces: &Traces, report: Option<&str>) -> Result<Outcome, Stop> {
        let broken = |kind, what: String| Ok(Outcome::without_report(kind, what + &traces.to_string()));
        let report = match (end, report.map(Report::from_json)) {
            (End::Deadline(after), report) => {
                let so_far = if report.is_some() { ", though it had reported" } else { "" };
                let silent = traces.silence();
                let what = format!(
                    "the run did not end and was stopped after {:.1} s{so_far}{silent}",
                    after.as_secs_f32()
                );
                return broken(Kind::Timeout, what);
            }
            (End::Exited(status), None) if !traces.guest_spoke && !status.success() => {
                return Err(Stop::unable(format!("QEMU did not start ({status}){traces}")));
            }
            (End::Exited(status), None) => {
                let silent = traces.silence();
                return broken(Kind::Crash, format!("the run ended without a report ({status}){silent}"));
            }
            (End::Exited(status), Some(Err(error))) => {
                return broken(Kind::Crash, format!("the report is not complete ({status}): {error}"));
            }
            (End::Exited(status), Some(Ok(report))) => {
                let expected = if self.status_counts { i32::from(report.exit_status()) } else { 0 };
                if status.code() != Some(expected) {
                    let signal =
                        status.signal().map(|signal| format!(", signal {signal}")).unwrap_or_default();
                    let what = format!(
                        "the result in the report is {}, but QEMU ended with {status}{signal} where {expected} was expected",
                        report.result.word()
                    );
                    return broken(Kind::Crash, what);
                }
                report
            }
        };
        if report.schema != report::SCHEMA {
            return broken(
                Kind::Crash,
                format!("the report is of schema {}, not {}", report.schema, report::SCHEMA),
            );
        }
        Ok(Outcome {
            kind: report.result.into(),
            report,
            log: traces.as_linux.clone(),
            compared: None,
            asked: None,
            took: Duration::ZERO,
        })
    }
}

/// A log that cannot be kept.
fn unwritten(path: &Path, error: &io::Error) -> Stop {
    Stop::unable(format!("cannot write {}: {error}", path.display()))
}

impl Traces {
    /// What to think of a guest that wrote nothing at all; empty if it wrote something.
    fn silence(&self) -> &'static str {
        if self.guest_spoke {
            return "";
        }
        "; the guest wrote nothing: either its first instruction was never run as such (is the CPU model a \
         64-bit one? does QEMU start this Image?), or it failed before its first line"
    }

    fn add(&mut self, source: OutputSource, line: String, live: bool) {
        self.guest_spoke |= source == OutputSource::Guest;
        if source == OutputSource::Guest && line.starts_with(REPORT_START) {
            self.report = Some(line);
            return;
        }
        if line.contains(UNTRANSLATED) {
            // A line begins with the time in brackets.
            self.as_linux.insert(line.split_once("] ").map_or(&*line, |(_, text)| text).to_owned());
        }
        if live {
            eprintln!("{line}");
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

impl std::fmt::Display for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.last.is_empty() {
            return f.write_str("; it printed nothing");
        }
        f.write_str("; its last lines:")?;
        self.last.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

#[cfg(test)]
mod tests;
