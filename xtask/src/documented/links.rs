//! Every link in the READMEs leads to a file, and to a heading if it names one.

use super::markdown::{files, read};

/// The targets of links, without those in code.
fn targets(text: &str) -> Vec<&str> {
    let prose = text.split("\n```").step_by(2);
    let links = prose.flat_map(|prose| prose.split("](").skip(1));
    links.filter_map(|link| link.split(')').next()).collect()
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for file in files() {
        let text = read(&file);
        for target in targets(&text).into_iter().filter(|target| !target.contains("://")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let other = if path.is_empty() { file.clone() } else { file.with_file_name(path) };
            assert!(other.exists(), "{}: {target}", file.display());
            if !heading.is_empty() {
                let other = read(&other);
                let mut headings = other.lines().filter(|line| line.starts_with('#'));
                assert!(headings.any(|line| anchor(line) == heading), "{}: {target}", file.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "only {count} links were found");
}
