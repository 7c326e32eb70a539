//! What people see: commands before they run, and where things are.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The workspace's directory.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The cargo that runs us, or the one in PATH.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Shows a text on standard output. Whoever has closed it wants no more, which is no error.
pub(crate) fn show(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Says on standard error which command is run.
pub(crate) fn announce(command: &Command) {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy);
    eprintln!("+ {}", shell_line(words));
}

/// Words as one line that a POSIX shell reads back as these words.
pub(crate) fn shell_line(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words.into_iter().map(|word| shell_word(word.as_ref()).into_owned()).collect::<Vec<_>>().join(" ")
}

/// One word, in single quotes if a shell would read anything into it.
fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
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

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(shell_line(["-M", "virt,gic-version=3"]), "-M virt,gic-version=3");
    }
}
