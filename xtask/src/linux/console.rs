//! One run of a Linux: its console, read until our init has listed everything, and why it did not.

use std::path::Path;
use std::time::{Duration, Instant};

use super::listing::Listing;
use crate::hot_plug::{SlotChange, SlotChanges};
use crate::outcome::Stop;
use crate::process::{self, Next, OutputSource};

/// The beginning of each line of our init.
const MARK: &str = "@@ ";
/// The beginning of the line that a kernel prints when it panics.
const PANIC: &str = "Kernel panic - not syncing: ";
/// Time after a panic in which the kernel prints where it was and ends the machine.
const PANIC_GRACE: Duration = Duration::from_secs(10);
/// The words with which the kernel starts our init (`run_init_process`).
const INIT_STARTED: &str = "Run /init as init process";
/// Most lines of a console; a kernel that prints more is in a loop.
const LINE_LIMIT: usize = 400_000;

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    /// Our init listed groups, devices and IOMMUs.
    Listed(Box<Listing>),
    /// The kernel panicked.
    Panics { why: String },
    /// It did not finish in time; the last stage that it reached.
    Hangs { after: Duration, stage: Stage },
    /// The machine was reset or powered off before our init had listed anything.
    Ends { status: String, stage: Stage },
}

/// The last stage that a kernel reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was printed.
    #[default]
    Silent,
    /// The kernel, or firmware, printed lines; the last one.
    Kernel(String),
    /// The kernel started our init, which has not printed anything here.
    Started,
    /// Our init printed lines.
    Init,
    /// A module was being loaded.
    Module(String),
    /// The listing had begun.
    Listing,
}

/// A run, with its output.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) end: End,
    pub(super) took: Duration,
    pub(super) console: Vec<String>,
    /// The lines that QEMU itself printed.
    pub(super) qemu: Vec<String>,
}

/// Runs QEMU until our init has listed everything, or until `deadline`. Makes `slot_changes` when our init asks for them.
///
/// # Errors
///
/// QEMU cannot be started, refuses the machine, or the run was interrupted.
pub(super) fn run(
    words: &[String],
    directory: &Path,
    deadline: Duration,
    slot_changes: &[SlotChange],
) -> Result<Finished, Stop> {
    let started = Instant::now();
    let mut console = Console::default();
    let mut slots = SlotChanges::new(directory, slot_changes);
    let end = process::run(words, directory, Some(deadline), |source, line| {
        Ok(match source {
            OutputSource::Guest => {
                slots.follow(&line)?;
                console.add(line, started)
            }
            OutputSource::Qemu => {
                console.qemu.push(line);
                Next::Read
            }
        })
    })?;
    let end = match end {
        process::End::Stopped(end) => end,
        process::End::Deadline(after) => console.given_up(after),
        process::End::Exited(status) if console.stage == Stage::Silent && !status.success() => {
            let said = console.qemu.join("\n  ");
            return Err(Stop::unable(format!("QEMU did not start ({status}): {said}")));
        }
        process::End::Exited(status) => console.ended(status.to_string()),
    };
    Ok(Finished { end, took: started.elapsed(), console: console.lines, qemu: console.qemu })
}

#[derive(Default)]
struct Console {
    lines: Vec<String>,
    qemu: Vec<String>,
    stage: Stage,
    panic: Option<String>,
}

impl Console {
    /// Adds a line of the guest.
    fn add(&mut self, line: String, started: Instant) -> Next<End> {
        let mut next = Next::Read;
        let mut is_last = false;
        if let Some(text) = line.strip_prefix(MARK) {
            self.stage = match text.split_once(' ') {
                Some(("module", name)) => Stage::Module(name.to_owned()),
                _ if text == "begin" || self.stage == Stage::Listing => Stage::Listing,
                _ => Stage::Init,
            };
            is_last = text == "end";
        } else {
            if let Some((_, why)) = line.split_once(PANIC)
                && self.panic.is_none()
            {
                self.panic = Some(why.to_owned());
                next = Next::ReadFor(PANIC_GRACE);
            }
            if matches!(self.stage, Stage::Silent | Stage::Kernel(_)) && !line.trim().is_empty() {
                let is_started = line.ends_with(INIT_STARTED);
                self.stage = if is_started { Stage::Started } else { Stage::Kernel(line.clone()) };
            }
        }
        self.lines.push(line);
        if is_last {
            // With some devices behind an IOMMU, powering off takes Linux a minute.
            return Next::Stop(End::Listed(Box::new(Listing::parse(&self.lines))));
        }
        if self.lines.len() >= LINE_LIMIT {
            return Next::Stop(self.given_up(started.elapsed()));
        }
        next
    }

    fn given_up(&mut self, after: Duration) -> End {
        match self.panic.take() {
            Some(why) => End::Panics { why },
            None => End::Hangs { after, stage: self.stage.clone() },
        }
    }

    fn ended(&mut self, status: String) -> End {
        match self.panic.take() {
            Some(why) => End::Panics { why },
            None => End::Ends { status, stage: self.stage.clone() },
        }
    }
}

impl Stage {
    /// Where a run stopped, in words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Silent => "nothing was printed on ttyAMA0".into(),
            Self::Kernel(line) => format!("before init; the last line: {line}"),
            Self::Started => {
                "our init was started and printed nothing on ttyAMA0; is there another console= in --append?"
                    .into()
            }
            Self::Init => "in our init".into(),
            Self::Module(name) => format!("while the module {name} was loaded"),
            Self::Listing => "while the groups were listed".into(),
        }
    }
}

#[cfg(test)]
mod tests;
