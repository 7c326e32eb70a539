//! What the tables of a README contain.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::output;

/// Keys, options or commands.
pub(super) type Keys = BTreeSet<String>;

/// Every README of the workspace.
pub(super) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![output::workspace().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_source = !name.to_string_lossy().starts_with('.') && name != "target";
            if path.is_dir() && is_source {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a file.
pub(super) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What stands between backticks.
pub(super) fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The key with which a piece of code begins: `repeat = { count }`, `[[tree]]`, `dma."DEVICE"`; an item of a list is none.
pub(super) fn key(code: &str) -> Option<String> {
    let code = code.trim_start_matches('[');
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
    let end = code.find(|c| !is_part(c)).unwrap_or(code.len());
    (end > 0).then(|| code[..end].to_string())
}

/// The keys in a cell.
pub(super) fn keys(cell: &str) -> Keys {
    code(cell).into_iter().filter_map(key).collect()
}

/// The README of a folder.
pub(super) fn readme(folder: &str) -> String {
    read(&output::workspace().join(folder).join("README.md"))
}

/// The rows of the tables below a heading, each as its first two cells.
pub(super) fn rows<'r>(readme: &'r str, heading: &str) -> Vec<(&'r str, &'r str)> {
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    cells.filter(|(first, _)| first.contains('`')).collect()
}

/// The keys in the first cells of rows.
pub(super) fn first_cells(rows: &[(&str, &str)]) -> Keys {
    rows.iter().flat_map(|(first, _)| keys(first)).collect()
}
