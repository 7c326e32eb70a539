//! A running QEMU: a guard that ends it, a deadline, and its output, line by line.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt;
use crate::outcome::Stop;

/// Longest line that is read; a report of 4,096 functions is about a megabyte.
const LINE_LIMIT: u64 = 16 << 20;
/// How often a waiting run looks whether it has been interrupted.
const INTERRUPT_CHECK: Duration = Duration::from_millis(100);

/// A process that does not outlive its run.
pub(crate) struct Guarded(pub(crate) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputSource {
    /// The guest, through QEMU's standard output.
    Guest,
    /// QEMU itself, on its standard error.
    Qemu,
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End<T> {
    Exited(ExitStatus),
    /// It was stopped at its deadline, after this time.
    Deadline(Duration),
    /// A line stopped it ([`Next::Stop`]).
    Stopped(T),
}

/// What to do after a line. A reader that never stops a run has [`Infallible`](std::convert::Infallible) for `T`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<T> {
    Read,
    /// Read on, but not longer than this.
    ReadFor(Duration),
    /// End the run; nothing that follows matters.
    Stop(T),
}

/// Runs a command in `directory` until it exits, `line` stops it, or `deadline` is over; without one, it runs as long as
/// it takes. `line` gets each line of both outputs.
///
/// # Errors
///
/// The command cannot be started, the run was interrupted, or `line` fails.
pub(crate) fn run<T>(
    words: &[String],
    directory: &Path,
    mut deadline: Option<Duration>,
    mut line: impl FnMut(OutputSource, String) -> Result<Next<T>, Stop>,
) -> Result<End<T>, Stop> {
    let [program, arguments @ ..] = words else { return Err(Stop::usage("there is nothing to run")) };
    let started = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Stop::unable(format!("{program} cannot be started: {error}")))?;
    let mut child = Guarded(child);
    let lines = lines(&mut child.0);
    loop {
        if interrupt::is_pending() {
            return Err(Stop::unable("interrupted"));
        }
        let left = deadline.map(|deadline| deadline.saturating_sub(started.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(End::Deadline(started.elapsed()));
        }
        match lines.recv_timeout(left.unwrap_or(INTERRUPT_CHECK).min(INTERRUPT_CHECK)) {
            Ok((OutputSource::Qemu, text)) if is_about_missing_peer(&text) => (),
            Ok((source, text)) => match line(source, text)? {
                Next::Read => (),
                Next::ReadFor(time) => {
                    let end = started.elapsed() + time;
                    deadline = Some(deadline.map_or(end, |deadline| deadline.min(end)));
                }
                Next::Stop(end) => return Ok(End::Stopped(end)),
            },
            Err(RecvTimeoutError::Timeout) => (),
            // Both its outputs are closed: QEMU is at its end.
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.0.wait();
                return status
                    .map(End::Exited)
                    .map_err(|error| Stop::unable(format!("{program} is lost: {error}")));
            }
        }
    }
}

/// The lines of both outputs, as they come.
fn lines(child: &mut Child) -> mpsc::Receiver<(OutputSource, String)> {
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        forward(output, OutputSource::Guest, sender.clone());
    }
    if let Some(errors) = child.stderr.take() {
        forward(errors, OutputSource::Qemu, sender);
    }
    lines
}

/// Reads lines on a thread of its own until the other side closes. Control characters but the tab
/// are shown as `?`: a guest must not drive the terminal.
fn forward(
    stream: impl Read + Send + 'static,
    source: OutputSource,
    lines: mpsc::Sender<(OutputSource, String)>,
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

/// Whether this is QEMU's warning about a network card without a peer. No machine has a network here, and no driver uses
/// one; the other backends of every QEMU would open sockets on the host.
fn is_about_missing_peer(line: &str) -> bool {
    line.split_once(": warning: nic ").is_some_and(|(_, rest)| rest.ends_with(" has no peer"))
}
