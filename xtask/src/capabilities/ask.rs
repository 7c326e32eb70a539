//! The conversation with QEMU.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Capabilities;
use crate::process::Guarded;
use crate::requirement::MACHINE_TYPE;

/// QEMU answers all questions in some hundredths of a second.
const DEADLINE: Duration = Duration::from_secs(30);

impl Capabilities {
    /// Asks `program` about types; about the options of `-M virt` always. A QEMU that ends too early has not
    /// answered the rest.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not answer at all.
    pub(crate) fn ask(program: &str, types: &BTreeSet<&str>) -> Result<Self> {
        let said = converse(program, &questions(types))?;
        let mut known = Self::of_answers(&said.answers)
            .with_context(|| format!("{program} does not answer on QMP: {}", said.errors.trim()))?;
        // Names like `virtio-blk` stand for a type of another name, and only the command line knows them.
        for (name, properties) in known.types.iter_mut().filter(|(_, properties)| properties.is_none()) {
            *properties = help(program, name);
        }
        Ok(known)
    }
}

/// The lines to write on QMP.
fn questions(types: &BTreeSet<&str>) -> String {
    let types = types.iter().copied().chain([MACHINE_TYPE]);
    let about_type =
        |name| json!({"execute": "qom-list-properties", "arguments": {"typename": name}, "id": name});
    let first = json!({"execute": "qmp_capabilities"});
    let commands = std::iter::once(first).chain(types.map(about_type)).chain([json!({"execute": "quit"})]);
    commands.map(|command| format!("{command}\n")).collect()
}

struct Said {
    answers: String,
    errors: String,
}

fn converse(program: &str, questions: &str) -> Result<Said> {
    let mut command = Command::new(program);
    command.args(["-M", "none", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Guarded(command.spawn().with_context(|| format!("{program} cannot be started"))?);
    let (Some(mut input), Some(mut output), Some(mut errors)) =
        (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take())
    else {
        bail!("{program} has no standard streams")
    };
    let questions = questions.to_owned();
    let (sender, said) = mpsc::channel();
    // Each stream has a thread: QEMU may stop reading until its answers are read. A QEMU that does not read or
    // write to the end has said what it has said.
    thread::spawn(move || input.write_all(questions.as_bytes()));
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        text
    });
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.read_to_end(&mut text);
        let errors = errors.join().unwrap_or_default();
        let [answers, errors] = [text, errors].map(|text| String::from_utf8_lossy(&text).into_owned());
        // Nobody receives it after the deadline.
        let _ = sender.send(Said { answers, errors });
    });
    let said = said.recv_timeout(DEADLINE);
    said.ok().with_context(|| format!("{program} did not answer on QMP within {} s", DEADLINE.as_secs()))
}

/// The properties of a device as `-device NAME,help` lists them, if there is such a device.
fn help(program: &str, name: &str) -> Option<BTreeSet<String>> {
    let asked = Command::new(program)
        .args(["-M", "none", "-device", &format!("{name},help")])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    listed(&String::from_utf8_lossy(&asked.stdout))
}

/// The properties in the list that QEMU prints below a title.
pub(super) fn listed(help: &str) -> Option<BTreeSet<String>> {
    let mut lines = help.lines();
    lines.next().filter(|title| title.ends_with(" options:"))?;
    Some(lines.filter_map(|line| Some(line.trim().split_once('=')?.0.to_owned())).collect())
}
