//! The command that boots one machine again.

use std::path::Path;

use super::judgement::Judged;
use super::machines::Subject;
use crate::cli::LinuxArgs;
use crate::output;

/// The line.
pub(super) fn line(options: &LinuxArgs, subjects: &[Subject], one: &Judged) -> String {
    let mut words: Vec<String> = ["cargo", "xtask", "linux", "--kernel"].map(String::from).into();
    words.push(options.kernel.display().to_string());
    for place in &options.modules {
        words.extend(["--modules".into(), place.display().to_string()]);
    }
    if let Some(subject) = subjects.iter().find(|subject| subject.id == one.id) {
        let asked = options
            .topology
            .iter()
            .find(|name| Path::new(name).file_stem() == Path::new(&subject.topology.name).file_stem());
        words.extend(["--topology".into(), asked.unwrap_or(&subject.topology.name).clone()]);
        words.extend(["--firmware".into(), subject.firmware.word().into()]);
    }
    if options.like != probe::Path::Fixed.word() {
        words.extend(["--like".into(), options.like.clone()]);
    }
    if let Some(qemu) = &options.common.qemu {
        words.extend(["--qemu".into(), qemu.display().to_string()]);
    }
    if !options.load.is_empty() {
        words.extend(["--load".into(), options.load.join(",")]);
    }
    if !options.append.is_empty() {
        words.extend(["--append".into(), options.append.clone()]);
    }
    output::shell_line(words)
}
