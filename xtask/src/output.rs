//! What people see: commands before they run, and where things are.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// The workspace's directory.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The cargo that runs us, or the one in PATH.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Writes a text to standard output. A reader that has closed it is not an error.
pub(crate) fn show(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// How `--json` names standard output.
pub(crate) const STANDARD_OUTPUT: &str = "-";

/// Whether the JSON form is all that standard output gets.
pub(crate) fn is_only_json(json: Option<&Path>) -> bool {
    json == Some(Path::new(STANDARD_OUTPUT))
}

/// Shows the results of a command: its text, unless standard output is for JSON alone, and its JSON form where `--json`
/// wants it.
///
/// # Errors
///
/// The file of the JSON form cannot be written.
pub(crate) fn results(text: &str, form: &impl Serialize, json: Option<&Path>) -> Result<()> {
    let line = |form| serde_json::to_string(form).context("the JSON form cannot be made");
    if !is_only_json(json) {
        show(text);
    }
    match json {
        None => Ok(()),
        Some(_) if is_only_json(json) => {
            show(&(line(form)? + "\n"));
            Ok(())
        }
        Some(file) => {
            fs::write(file, line(form)? + "\n").with_context(|| format!("cannot write {}", file.display()))
        }
    }
}

/// Says on standard error which command is run.
pub(crate) fn announce(command: &Command) {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy);
    eprintln!("+ {}", shell_line(words));
}

/// Words as one line that a POSIX shell reads back as these words.
pub(crate) fn shell_line(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    let quoter = shlex::Quoter::new().allow_nul(true);
    quoter.join(words.iter().map(AsRef::as_ref)).expect("only a NUL cannot be quoted, and it is allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_line_back_as_the_same_words() {
        let words =
            ["plain", "", "two words", "it's", "$HOME", "a;b", "*", "path=/tmp/x,y=1", "\"", "\\", "#"];
        let line = shell_line(words);
        let script = format!(r#"for word in {line}; do printf '<%s>' "$word"; done"#);
        let echoed = Command::new("sh").args(["-c", &script]).output().unwrap();
        let expected: String = words.iter().map(|word| format!("<{word}>")).collect();
        assert_eq!(String::from_utf8_lossy(&echoed.stdout), expected);
    }
}
