//! What can be read from a command line that cannot be parsed: where its JSON goes, and what it asks for.
//!
//! `clap` ends at the first word that it does not know (with `ignore_errors` too), and knows nothing of what follows.

use std::path::PathBuf;

use crate::outcome::Asked;

/// Where the JSON form of a command line goes that could not be read as a whole: what `--json` in it
/// says, as the options above would have it.
pub(crate) fn json_of(arguments: &[String]) -> Option<PathBuf> {
    let standard_output = || PathBuf::from("-");
    // A word after `--json` belongs to it, except where words are filters or names.
    let takes_next = arguments.first().is_none_or(|command| command != "test" && command != "replay");
    let mut words = arguments.iter().take_while(|word| *word != "--").peekable();
    let mut found = None;
    while let Some(word) = words.next() {
        if let Some(file) = word.strip_prefix("--json=") {
            found = Some(PathBuf::from(file));
        } else if word == "--json" {
            let file = words.next_if(|next| takes_next && (*next == "-" || !next.starts_with('-')));
            found = Some(file.map_or_else(standard_output, PathBuf::from));
        }
    }
    found
}

/// What a command line asks to be run that could not be read as a whole: the values of these options, as far as they
/// are there.
pub(crate) fn asked_of(arguments: &[String]) -> Asked {
    let value = |option: &str| {
        let words: Vec<&String> = arguments.iter().take_while(|word| *word != "--").collect();
        let joined = words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        let apart = || words.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1].as_str());
        joined.or_else(apart).map(String::from)
    };
    let [firmware, path, topology, qemu] = ["--firmware", "--path", "--topology", "--qemu"].map(value);
    Asked { firmware, path, topology, qemu }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_that_cannot_be_read_still_says_where_json_goes() {
        for (line, place) in [
            ("qemu --bogus", None),
            ("qemu --json --bogus", Some("-")),
            ("qemu --bogus --json", Some("-")),
            ("qemu --json=/tmp/y.json --bogus", Some("/tmp/y.json")),
            ("qemu --json /tmp/x.json --bogus", Some("/tmp/x.json")),
            ("qemu --json - --bogus", Some("-")),
            ("test --json simple --bogus", Some("-")),
            ("test --json=r.json --bogus", Some("r.json")),
            ("replay --json self-map --bogus", Some("-")),
            ("qemu --bogus -- --json", None),
        ] {
            let words: Vec<String> = line.split(' ').map(String::from).collect();
            assert_eq!(json_of(&words), place.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn a_command_line_that_cannot_be_read_still_says_what_was_asked_for() {
        let line = "qemu --firmware acpi --path=legacy --bogus --topology simple -- --qemu x";
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let [firmware, path, topology] = ["acpi", "legacy", "simple"].map(|word| Some(word.to_owned()));
        assert_eq!(asked_of(&words), Asked { firmware, path, topology, qemu: None });
    }
}
