//! The commands that READMEs show, and what they print.

/// What every command that is looked for begins with.
const COMMAND: &str = "cargo xtask ";

/// How a comment or a heading line announces that a command does not pass.
const STATUS: &str = "exit status ";

/// A command in a block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its words after `cargo xtask`.
    pub(crate) words: Vec<String>,
    /// The exit status that it must have.
    pub(crate) status: i32,
    /// Lines that it must print, in this order; others may be between them.
    pub(crate) prints: Vec<String>,
}

/// The commands of a README: lines of its `sh` blocks, and those with a prompt in its `text` blocks, each with what is
/// shown below it.
pub(crate) fn commands(readme: &str) -> Vec<Shown> {
    let mut commands = Vec::new();
    for block in readme.split("\n```").skip(1).step_by(2) {
        let (language, body) = block.split_once('\n').unwrap_or_default();
        match language {
            "sh" => commands.extend(of_script(body)),
            "text" => commands.extend(of_session(body)),
            _ => (),
        }
    }
    commands
}

/// A comment is about the lines below it up to the next empty line.
fn of_script(body: &str) -> Vec<Shown> {
    let (mut commands, mut remark) = (Vec::new(), "");
    for line in body.lines() {
        if line.is_empty() || line.starts_with('#') {
            remark = line;
        }
        let Some(words) = words(line) else { continue };
        let status = status(line).or_else(|| status(remark)).unwrap_or(0);
        commands.push(Shown { words, status, prints: Vec::new() });
    }
    commands
}

fn of_session(body: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for line in body.lines() {
        if let Some(words) = line.strip_prefix("$ ").and_then(words) {
            commands.push(Shown { words, status: 0, prints: Vec::new() });
        } else if let Some(command) = commands.last_mut()
            && line != "..."
        {
            command.status = if line.starts_with("FAIL") { 1 } else { command.status };
            command.prints.push(line.trim().to_owned());
        }
    }
    commands
}

/// The words of the command in a line, without what its output is piped to; the line may be a part of a quoted script.
fn words(line: &str) -> Option<Vec<String>> {
    let command = &line[line.find(COMMAND)? + COMMAND.len()..];
    let words = shlex::split(command).or_else(|| shlex::split(command.trim_end_matches('\'')))?;
    Some(words.into_iter().take_while(|word| word != "|").collect())
}

fn status(text: &str) -> Option<i32> {
    let (_, rest) = text.split_once(STATUS)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str], status: i32, prints: &[&str]) -> Shown {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Shown { words: owned(words), status, prints: owned(prints) }
    }

    #[test]
    fn the_commands_of_a_script_are_found_with_their_exit_status() {
        let readme = "text\n```sh\n# It fails: exit status 1.\ncargo xtask qemu --path regressed\n\ncargo xtask \
                      qemu --json | jq '.a b'  # a comment\ngit bisect run sh -c 'make || exit 125\n    cargo xtask \
                      qemu --expect switch'\n```\n";
        let expected = [
            shown(&["qemu", "--path", "regressed"], 1, &[]),
            shown(&["qemu", "--json"], 0, &[]),
            shown(&["qemu", "--expect", "switch"], 0, &[]),
        ];
        assert_eq!(commands(readme), expected);
    }

    #[test]
    fn a_session_shows_what_a_command_prints() {
        let readme = "\n```text\n$ cargo xtask qemu\nIOMMU Group 0:\n    a device\n...\nFAIL: 1 ms\n```\n";
        assert_eq!(commands(readme), [shown(&["qemu"], 1, &["IOMMU Group 0:", "a device", "FAIL: 1 ms"])]);
    }

    #[test]
    fn other_blocks_have_no_commands() {
        assert_eq!(commands("\n```toml\ncargo xtask qemu\n```\n`cargo xtask qemu`\n"), []);
    }
}
