//! Reads KTAP, version 1, by the rules of its specification (Linux: Documentation/dev-tools/ktap.rst), to check what is
//! written here. Nested tests are not read: nothing here writes them.

/// Keywords that change what a result means.
const DIRECTIVES: [&str; 5] = ["SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR"];

/// The line that begins the results.
const VERSION: &str = "KTAP version 1";

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestResult {
    pub(crate) ok: bool,
    /// Its description.
    pub(crate) name: String,
    pub(crate) directive: Option<&'static str>,
}

/// The results in a text. As in Linux's own reader, what comes before the version line is left out, and as many
/// characters as stand before it are cut off each line.
///
/// # Errors
///
/// There is no version line or no plan, a number is not the next one, there are more or fewer results than planned, or a
/// line begins like a result and is none, which Linux's reader takes for one that is missing.
pub(crate) fn parse(text: &str) -> Result<Vec<TestResult>, String> {
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| !line.ends_with(VERSION));
    let first = lines.next().ok_or("there is no version line")?;
    let prefix = first.chars().count() - VERSION.chars().count();
    let lines: Vec<String> = lines.map(|line| line.chars().skip(prefix).collect()).collect();
    let mut planned = None;
    let mut results = Vec::new();
    for line in &lines {
        if let Some(count) = line.strip_prefix("1..") {
            let count: usize = count.parse().map_err(|_| format!("not a plan: {line}"))?;
            if planned.replace(count).is_some() {
                return Err(format!("a second plan: {line}"));
            }
        } else if line.starts_with("ok") || line.starts_with("not ok") {
            let (number, result) = result(line).ok_or_else(|| format!("not a result: {line}"))?;
            if number != results.len() + 1 {
                return Err(format!("expected number {}: {line}", results.len() + 1));
            }
            results.push(result);
        } else if line.trim_start().starts_with("KTAP version") || line.trim_start().starts_with("# Subtest:")
        {
            return Err(format!("begins a nested test: {line}"));
        }
    }
    let planned = planned.ok_or("there is no plan")?;
    if results.len() == planned {
        Ok(results)
    } else {
        Err(format!("{planned} planned, {} results", results.len()))
    }
}

/// A line of a result: `ok 1 name # DIRECTIVE note`.
fn result(line: &str) -> Option<(usize, TestResult)> {
    let (ok, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    // A hash that is not by itself would be a part of the description, which must not have one.
    let (name, note) = rest.split_once(" # ").unwrap_or((rest, ""));
    let word = note.split(' ').next().unwrap_or_default();
    let directive = DIRECTIVES.into_iter().find(|directive| *directive == word);
    let result = TestResult { ok, name: name.to_owned(), directive };
    (!name.contains('#')).then_some((number.parse().ok()?, result))
}

#[cfg(test)]
mod tests {
    use report::{Device, Ktap, Report};

    use super::*;
    use crate::fixture::{device, report_of};

    fn names(text: &str) -> Vec<String> {
        parse(text).unwrap().into_iter().map(|result| result.name).collect()
    }

    #[test]
    fn results_are_read_with_what_is_around_them() {
        let text = "[    0.1] log\n> KTAP version 1\n> # hello\n> 1..4\n> ok 1 a b # SKIP no x\n> unknown\n\
                    > # why\n> not ok 2 c\r\n> ok 3 d # group 1\n> ok 4 e # ERRORS are none\n";
        let results = parse(text).unwrap();
        assert_eq!(names(text), ["a b", "c", "d", "e"]);
        assert_eq!(results.iter().map(|result| result.ok).collect::<Vec<_>>(), [true, false, true, true]);
        assert_eq!(results.iter().filter_map(|result| result.directive).collect::<Vec<_>>(), ["SKIP"]);
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for (lines, why) in [
            ("1..1\nok 1 a\n", "no version"),
            ("KTAP version 1\nok 1 a\n", "no plan"),
            ("KTAP version 1\n1..2\nok 1 a\n", "2 planned, 1 results"),
            ("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", "1 planned, 2 results"),
            ("KTAP version 1\n1..2\nok 1 a\nok 3 b\n", "expected number 2"),
            ("KTAP version 1\n1..1\nok 1 a#b\n", "not a result"),
            ("KTAP version 1\n1..1\nok a\n", "not a result"),
            ("KTAP version 1\n1..1\n1..1\nok 1 a\n", "a second plan"),
            ("KTAP version 1\n1..1\n  KTAP version 1\nok 1 a\n", "nested"),
            ("KTAP version 1\n1..1\n# Subtest: x\nok 1 a\n", "nested"),
        ] {
            let error = parse(lines).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    /// A report whose texts would be lines, plans, results or directives.
    fn hostile() -> Report {
        let text = "x\nok 1 y\r\n1..3\n# SKIP z # TODO\nKTAP version 1\n";
        let mut report = report_of(&[&["0000:00:02.0"]]);
        report.devices.push(Device { name: text.into(), ..device("0000:00:03.0", None, text) });
        report.devices.push(device("0000:00:04.0", None, "SKIP"));
        report.warnings.push(text.into());
        report.error = Some(text.into());
        report
    }

    #[test]
    fn the_report_of_a_boot_is_ktap_whatever_its_texts_are() {
        for report in [report_of(&[&["0000:00:02.0"]]), hostile()] {
            let results = parse(&Ktap(&report).to_string()).unwrap();
            assert_eq!(results.len(), report.invariants.len() + report.devices.len() + 1);
            assert!(results.iter().all(|result| result.directive.is_none()), "{results:#?}");
        }
    }
}
