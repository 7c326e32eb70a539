//! Every command and option of the code is in the READMEs, and every command in the READMEs is understood.

use clap::{CommandFactory as _, Parser as _};

use super::markdown::{Keys, code, files, key, read, readme, rows};
use crate::cli::Cli;
use crate::readme;

/// Options that the commands have in common; a README may leave them out.
const COMMON: [&str; 3] = ["qemu", "no-setup", "verbose"];

#[test]
fn every_command_is_in_the_readme() {
    let readme = readme("");
    let named = code(&readme).into_iter().filter_map(|code| key(code.strip_prefix("cargo xtask ")?));
    let named: Keys = named.collect();
    let commands: Keys =
        Cli::command().get_subcommands().map(|command| command.get_name().to_string()).collect();
    assert_eq!(named, commands);
}

#[test]
fn every_command_in_the_readmes_is_understood() {
    let mut count = 0;
    for file in files() {
        for shown in readme::commands(&read(&file)) {
            let words = ["xtask"].into_iter().chain(shown.words.iter().map(String::as_str));
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{}: {:?}: {}", file.display(), shown.words, parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn every_option_of_a_command_is_in_its_readme() {
    let documented = [
        ("qemu", "kernel", "Options of `cargo xtask qemu`"),
        ("linux", "xtask/linux", "`cargo xtask linux`"),
        ("damage", "xtask/tests", "Options"),
    ];
    for (name, folder, heading) in documented {
        let readme = readme(folder);
        let rows = rows(&readme, heading);
        let named = rows.iter().flat_map(|(first, _)| code(first));
        let mut named: Keys = named.filter_map(|code| key(code.strip_prefix("--")?)).collect();
        let mut cli = Cli::command();
        cli.build();
        let command = cli.find_subcommand(name).expect("it is a command");
        let options = command.get_arguments().filter_map(|option| option.get_long());
        let options: Keys = options.filter(|option| *option != "help").map(String::from).collect();
        named.extend(COMMON.into_iter().filter(|common| options.contains(*common)).map(String::from));
        assert_eq!(named, options, "{name}");
    }
}
