//! One run of QEMU: its own directory, a guard that ends it, a deadline, and what it left behind.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use report::Report;

use crate::outcome::{Kind, Outcome, Stop, UNTRANSLATED};
use crate::qemu::REPORT_FILE;

/// How a report begins, wherever it is written.
const REPORT_START: &str = "{\"schema\":";
/// As many last lines of the log are shown when a run went wrong.
const LAST_LINES: usize = 24;
/// Longest line that is read; a report of 4,096 functions is about a megabyte.
const LINE_LIMIT: u64 = 16 << 20;
/// Largest report file that is read.
const REPORT_LIMIT: u64 = 64 << 20;
/// How often a waiting run looks whether it has been interrupted.
pub(crate) const INTERRUPT_CHECK: Duration = Duration::from_millis(100);

/// Set by the interrupt handler; every run then ends its QEMU and stops.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes an interrupt (Ctrl-C), SIGTERM and SIGHUP end the runs instead of us alone.
pub(crate) fn catch_interrupts() {
    // A second handler cannot be there, and without one an interrupt ends us as it always did.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// Whether there was an interrupt.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

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
}

/// A QEMU that does not outlive its run.
pub(crate) struct Guarded(pub(crate) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Exited(ExitStatus),
    Deadline(Duration),
}

/// Where a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Guest,
    Qemu,
}

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
        let (end, traces) = self.watch()?;
        let written = self.written_report();
        self.judge(end, &traces, written.as_deref().or(traces.report.as_deref()))
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
        let [program, arguments @ ..] = self.words else {
            return Err(Stop::usage("there is nothing to run"));
        };
        let started = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Stop::unable(format!("{program} cannot be started: {error}")))?;
        let mut child = Guarded(child);
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.0.stdout.take() {
            forward(output, Source::Guest, sender.clone());
        }
        if let Some(errors) = child.0.stderr.take() {
            forward(errors, Source::Qemu, sender.clone());
        }
        drop(sender);
        let mut traces = Traces::default();
        let mut kept = match self.log {
            Log::Kept(path) => {
                Some(BufWriter::new(fs::File::create(path).map_err(|error| unwritten(path, &error))?))
            }
            Log::Hidden | Log::Shown => None,
        };
        loop {
            if interrupted() {
                return Err(Stop::unable("interrupted"));
            }
            let left = self.deadline.map(|deadline| deadline.saturating_sub(started.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok((End::Deadline(started.elapsed()), traces));
            }
            match lines.recv_timeout(left.unwrap_or(INTERRUPT_CHECK).min(INTERRUPT_CHECK)) {
                Ok((source, line)) => {
                    if let (Log::Kept(path), Some(file)) = (self.log, &mut kept) {
                        writeln!(file, "{line}").map_err(|error| unwritten(path, &error))?;
                    }
                    traces.add(source, line, *self.log == Log::Shown);
                }
                Err(RecvTimeoutError::Timeout) => (),
                // Both its outputs are closed: QEMU is at its end.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = child.0.wait().map_err(|error| Stop::unable(format!("{program} is lost: {error}")))?;
        Ok((End::Exited(status), traces))
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

    fn add(&mut self, source: Source, line: String, live: bool) {
        if source == Source::Qemu && is_about_missing_peer(&line) {
            return;
        }
        self.guest_spoke |= source == Source::Guest;
        if source == Source::Guest && line.starts_with(REPORT_START) {
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

/// Whether this is QEMU's warning about a network card without a peer. No machine has a network here, and no driver uses one; the
/// other backends of every QEMU would open sockets on the host.
pub(crate) fn is_about_missing_peer(line: &str) -> bool {
    line.split_once(": warning: nic ").is_some_and(|(_, rest)| rest.ends_with(" has no peer"))
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

/// Reads lines on a thread of its own until the other side closes. Control characters but the tab
/// are shown as `?`: a guest must not drive the terminal.
pub(crate) fn forward(
    stream: impl Read + Send + 'static,
    source: Source,
    lines: mpsc::Sender<(Source, String)>,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line);
            let is_odd = |c: char| c.is_control() && c != '\t';
            let text = text.trim_end_matches(['\r', '\n']).replace(is_odd, "?");
            if lines.send((source, text)).is_err() {
                break;
            }
            line.clear();
        }
    });
}

#[cfg(test)]
mod tests;
