//! The tables of the READMEs list exactly the keys that the code reads.
//!
//! A reader is given a key that does not exist; its error lists those that do.

use report::{Console, FULL_IMAGE_WORDS, Form};
use scenario::Scenario;

use super::markdown::{Keys, code, first_cells, key, keys, readme, rows};
use crate::choices::Choice;
use crate::topology::Topology;

/// No reader knows this key.
const NONE: &str = "nonesuch";

/// The keys, or the values of a key, in the error of a reader.
fn accepted<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Keys {
    let error = read(text).err().unwrap_or_else(|| panic!("{NONE} was accepted in {text}"));
    let (_, list) = error.split_once(&format!("`{NONE}`, expected")).unwrap_or_else(|| panic!("{error}"));
    code(list.lines().next().unwrap_or_default()).into_iter().map(String::from).collect()
}

fn of_topology(text: &str) -> Keys {
    accepted(text, |text| toml::from_str::<Topology>(text).map_err(|error| error.to_string()))
}

fn of_scenario(text: &str) -> Keys {
    accepted(text, |text| toml::from_str::<Scenario>(text).map_err(|error| error.to_string()))
}

fn without(all: Keys, others: &[&str]) -> Keys {
    all.into_iter().filter(|key| !others.contains(&key.as_str())).collect()
}

#[test]
fn the_keys_of_a_topology_are_in_its_readme() {
    let readme = readme("xtask/topologies");
    let machine = first_cells(&rows(&readme, "The machine"));
    // These have sections of their own.
    let others = ["expect", "expect-acpi", "paths", "when"];
    assert_eq!(machine, without(of_topology("nonesuch = 1"), &others));
    for mention in ["\n## `[expect]`\n", "`[expect-acpi]`", "`paths.", "`[[when]]`"] {
        assert!(readme.contains(mention), "{mention}");
    }
    assert_eq!(first_cells(&rows(&readme, "`[expect]`")), of_topology("[expect]\nnonesuch = 1"));
}

#[test]
fn the_edits_of_a_tree_are_in_the_readme_with_their_keys() {
    let readme = readme("xtask/topologies");
    let rows = rows(&readme, "Edits of the device tree");
    let rows: Vec<_> = rows.into_iter().filter(|(first, _)| !first.contains("edit =")).collect();
    assert_eq!(first_cells(&rows), of_topology("[[tree]]\nedit = \"nonesuch\""));
    for (edits, cell) in rows {
        let mut read = Keys::new();
        for edit in keys(edits) {
            read.extend(of_topology(&format!("[[tree]]\nedit = \"{edit}\"\nnonesuch = 1")));
        }
        assert_eq!(keys(cell), read, "{edits}");
    }
}

#[test]
fn the_keys_of_a_condition_are_in_the_readme() {
    let readme = readme("xtask/topologies");
    let rows = rows(&readme, "Machines and expectations that depend on QEMU");
    // Two keys of the topology.
    assert_eq!(without(first_cells(&rows), &["needs", "when"]), of_topology("[[when]]\nnonesuch = 1"));
    let (_, changes) = rows.iter().find(|(first, _)| first.contains("`expect")).expect("a row");
    let changes: Keys =
        code(changes).into_iter().filter(|code| *code != "[expect]").filter_map(key).collect();
    assert_eq!(changes, of_topology("[[when]]\nexpect = { nonesuch = 1 }"));
}

#[test]
fn the_keys_of_a_scenario_are_in_its_readme() {
    let readme = readme("xtask/scenarios");
    let rows = rows(&readme, "Keys");
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(first, _)| !first.contains(char::is_uppercase) || first.contains("expect.PATH"))
        .collect();
    let steps: Keys = ["expire"].map(String::from).into();
    let documented: Keys = first_cells(&rows).difference(&steps).cloned().collect();
    assert_eq!(documented, without(of_scenario("nonesuch = 1"), &["steps"]));
    let nested = [
        ("`device`", vec!["device = [{ nonesuch = 1 }]", "device = [{ iommu = { nonesuch = 1 } }]"]),
        ("`driver`", vec!["driver = [{ nonesuch = 1 }]"]),
        ("`map`", vec!["map = [{ nonesuch = 1 }]"]),
        ("`expect.PATH`", vec!["[expect.fixed]\nnonesuch = 1"]),
    ];
    for (first, texts) in nested {
        let (_, cell) = rows.iter().find(|(cell, _)| cell.starts_with(first)).expect("a row");
        let read: Keys = texts.into_iter().flat_map(of_scenario).collect();
        assert_eq!(keys(cell), read, "{first}");
    }
}

#[test]
fn the_words_of_the_command_line_are_in_the_readme_of_the_kernel() {
    let readme = readme("kernel");
    let rows = rows(&readme, "Kernel command line");
    let words: Vec<&str> = rows.iter().flat_map(|(first, _)| code(first)).collect();
    for name in FULL_IMAGE_WORDS {
        assert!(words.iter().any(|word| word.split('=').next() == Some(name)), "{name}");
    }
    fn choices<C: Choice>(name: &str) -> String {
        let words: Vec<&str> = C::ALL.iter().map(|choice| choice.word()).collect();
        format!("{name}={}", words.join("\\|"))
    }
    for expected in
        [choices::<Form>(Form::NAME), choices::<Console>(Console::NAME), choices::<probe::Path>("path")]
    {
        assert!(words.contains(&expected.as_str()), "{expected}");
    }
}
