//! The page without a browser: what it contains, and that nothing in it comes from outside or gets out of its place.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template as _;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::contents::Page;
use crate::cli::WhichLogs;
use crate::fixture::report_of;
use crate::results::{BootFacts, BootTimes, Ending, Results, SCHEMA, Test};

/// Would begin an element, end an attribute, and end the script.
const HOSTILE: &str = "<b>&\"'</script>";

fn check(name: &str, result: Ending, boot: Option<BootFacts>) -> Test {
    Test {
        name: name.into(),
        layer: if boot.is_some() { "boot" } else { "host" }.into(),
        result,
        seconds: 1.25,
        command: format!("by hand {name}"),
        repeat: format!("again {name}"),
        differences: if result == Ending::Fail { vec![format!("{name} moved")] } else { Vec::new() },
        reason: (result == Ending::Skip).then(|| format!("no {name}")),
        qemu: Some("7.2.22".into()),
        boot,
    }
}

fn boot(topology: &str, file: &str) -> Option<BootFacts> {
    Some(BootFacts {
        topology: topology.into(),
        probes: format!("what {topology} shows"),
        firmware: "dt".into(),
        path: "fixed".into(),
        iommu: "on".into(),
        order: None,
        qemu_seconds: 1.0,
        log: Some(format!("{file}.log").into()),
        report: Some(format!("{file}.json").into()),
    })
}

/// The page of a run of five checks.
fn page(logs: WhichLogs, log_lines: usize) -> String {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    for name in ["good", "bad"] {
        write(&format!("{name}.json"), &report_of(&[&["0000:00:02.0"]]).to_json_line());
        let lines: String = (0..log_lines).map(|line| format!("{name} line {line} {HOSTILE}\n")).collect();
        write(&format!("{name}.log"), &lines);
    }
    let results = Results {
        schema: SCHEMA.into(),
        result: "fail".into(),
        exit_status: 1,
        qemu: Some(HOSTILE.into()),
        qemus: vec![HOSTILE.into()],
        passed: 2,
        failed: 2,
        skipped: 1,
        skipped_reasons: BTreeMap::new(),
        began: 0,
        seconds: 90.0,
        boots: Some(BootTimes { count: 3, seconds: 3.0, qemu_seconds: 2.0, overhead_ms: 5.0 }),
        tests: vec![
            check("format", Ending::Pass, None),
            check("good", Ending::Pass, boot("good", "good")),
            check(HOSTILE, Ending::Fail, boot(HOSTILE, "bad")),
            check("rocker", Ending::Skip, boot("rocker", "none")),
            check("image", Ending::Fail, None),
        ],
    };
    Page::of(&results, directory.path(), logs).render().unwrap()
}

/// The elements of the page, each with its attributes. Its style and script are left out: they are not XML.
fn elements(page: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (rest, end) = rest.split_once("<script>").unwrap();
    let (_, end) = end.rsplit_once("</script>").unwrap();
    let text = [head, rest, end].concat();
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return found,
            Event::Start(element) | Event::Empty(element) => {
                let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
                let attributes = element.html_attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = String::from_utf8_lossy(&attribute.value).into_owned();
                    (String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value)
                });
                found.push((name, attributes.collect()));
            }
            _ => (),
        }
    }
}

#[test]
fn texts_of_a_run_are_texts_on_the_page() {
    let page = page(WhichLogs::All, 3);
    assert!(!page.contains("<b>"), "a text became an element");
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("line 2 &#60;b&#62;"));
}

#[test]
fn the_page_asks_for_nothing() {
    let page = page(WhichLogs::Failed, 3);
    for (name, attributes) in elements(&page) {
        assert!(!["img", "link", "iframe", "object", "embed", "base"].contains(&name.as_str()), "{name}");
        assert!(!attributes.contains_key("src"), "{name} {attributes:?}");
        let outside = attributes.get("href").filter(|href| !href.starts_with('#'));
        assert_eq!(outside, None);
    }
    assert!(page.contains("default-src 'none'"));
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[test]
fn every_link_leads_to_a_place_that_is_there_once() {
    let elements = elements(&page(WhichLogs::All, 3));
    let mut places = BTreeSet::new();
    for (_, attributes) in &elements {
        if let Some(id) = attributes.get("id") {
            assert!(places.insert(id.clone()), "{id} is there twice");
        }
    }
    let links: Vec<&str> =
        elements.iter().filter_map(|(_, attributes)| attributes.get("href")?.strip_prefix('#')).collect();
    assert!(links.len() > 6, "{links:?}");
    assert!(links.iter().all(|link| places.contains(*link)), "{links:?} {places:?}");
}

#[test]
fn failures_have_their_differences_commands_pictures_and_logs() {
    let page = page(WhichLogs::Failed, 3);
    assert_eq!(page.matches("<article id=\"case-").count(), 2);
    for part in
        ["image moved", "again image", "by hand image", "Log, 3 lines", "bad line 2", "what good shows"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("good line 2"));
    // Those of the two machines with a report, and that of the failed boot.
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("no rocker") && page.contains("1.50 times the 2.00 s"));
}

#[test]
fn the_option_decides_whose_logs_there_are() {
    assert!(page(WhichLogs::All, 3).contains("good line 2"));
    assert!(!page(WhichLogs::None, 3).contains("bad line 2"));
}

#[test]
fn of_a_long_log_the_end_is_shown_and_its_size_said() {
    let page = page(WhichLogs::Failed, 10_000);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("bad line 9999") && !page.contains("bad line 1 "));
    let summary = page.split_once("Log, the last ").unwrap().1.split_once('<').unwrap().0;
    assert!(summary.ends_with(" lines of 299 kB"), "{summary}");
    // No line is cut.
    let first = page.split_once("aria-label=\"Log of").unwrap().1.split_once('>').unwrap().1;
    assert!(first.starts_with("bad line "), "{}", &first[..40]);
}
