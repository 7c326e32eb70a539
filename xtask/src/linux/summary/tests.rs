use std::sync::LazyLock;

use super::*;
use crate::linux::machines::Subject;
use crate::topology::Topology;

fn judged(name: &str, status: Status, paths: &[probe::Path], breaks: &[&str]) -> Judged {
    let topology = Topology::parse(name, "probes = \"x\"").unwrap();
    let subject = Subject::of(&topology, report::Firmware::Dt, "qemu", "").unwrap();
    let mut judged = Judged::untried(&subject);
    (judged.status, judged.why, judged.paths) = (status, None, paths.into());
    judged.breaks.extend(breaks.iter().map(|id| ((*id).to_owned(), String::new())));
    judged
}

static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::read().unwrap());

fn summary<'a>(judged: &'a [Judged], skipped: &'a BTreeMap<String, Vec<String>>) -> Summary<'a> {
    Summary {
        paths: &PATHS,
        kernel: "Image".into(),
        expected: "fixed".into(),
        qemu: "7.2.22",
        judged,
        skipped,
        took: Duration::from_millis(1500),
        repeat: &|one| format!("cargo xtask linux --topology {}", one.id),
        skip_broken: false,
    }
}

#[test]
fn the_path_of_most_machines_is_named_and_those_that_are_not_like_it() {
    use probe::Path::{Fixed, Regressed, Upstream};
    let all = [
        judged("a", Status::Ok, &[Fixed, Upstream], &[]),
        judged("b", Status::Differs, &[Upstream], &["I2", "I11"]),
        judged("c", Status::Differs, &[Regressed], &["I2"]),
        judged("d", Status::Hangs, &[], &[]),
    ];
    let skipped = BTreeMap::from([("QEMU lacks igb".to_owned(), vec!["e".to_owned()])]);
    assert_eq!(
        summary(&all, &skipped).text(),
        "behaves like: upstream, as Linux 7.3.4 (2 of 3 machines)\n  not on: c\n\
         violates I2 (at rest no device with a healthy IOMMU is without a group) on 2 of 3 machines: b, c\n\
         violates I11 (no device waits for an IOMMU that is ready, or refers to one that is gone) on 1 of 3 machines: b\n\
         skipped 1: QEMU lacks igb\n\
         repeat: cargo xtask linux --topology b\nFAIL: 1 of 4 machines as fixed, 1.5 s\n"
    );
    let json = summary(&all, &skipped).json();
    assert_eq!(json["behaves_like"], json!(["upstream"]));
    assert_eq!((json["exit_status"].as_u64(), json["compared"].as_u64()), (Some(1), Some(3)));
    assert_eq!(json["machines"][3]["status"], "hangs");
}

#[test]
fn machines_that_do_not_tell_paths_apart_name_both() {
    let all = [judged("a", Status::Ok, &[probe::Path::Fixed, probe::Path::Upstream], &[])];
    let text = summary(&all, &BTreeMap::new()).text();
    assert!(
        text.starts_with("behaves like: fixed or upstream, as Linux 7.3.4 (1 of 1 machines)\nPASS: "),
        "{text}"
    );
    let unlike = [judged("a", Status::Differs, &[], &[])];
    let text = summary(&unlike, &BTreeMap::new()).text();
    assert!(text.starts_with("behaves like: no path (1 machines)\n"), "{text}");
}

#[test]
fn the_status_is_what_git_bisect_wants() {
    let kind = |statuses: &[Status], skip_broken| {
        let all: Vec<Judged> = statuses.iter().map(|status| judged("a", *status, &[], &[])).collect();
        let skipped = BTreeMap::new();
        Summary { skip_broken, ..summary(&all, &skipped) }.kind().exit_status()
    };
    assert_eq!(kind(&[Status::Ok], false), 0);
    for status in
        [Status::Differs, Status::Varies, Status::Hangs, Status::Panics, Status::Ends, Status::NoGroups]
    {
        assert_eq!(kind(&[Status::Ok, status], false), 1, "{status:?}");
    }
    assert_eq!(kind(&[Status::Ok, Status::Hangs], true), 125);
    assert_eq!(kind(&[Status::Differs, Status::Hangs], true), 1);
    assert_eq!(kind(&[Status::Ok, Status::NoDriver], false), 125);
    assert_eq!(kind(&[], false), 125);
}

#[test]
fn an_invariant_that_is_violated_everywhere_is_not_listed_by_machine() {
    let all = ["a", "b"].map(|name| judged(name, Status::Differs, &[probe::Path::Legacy], &["I2"]));
    let text = summary(&all, &BTreeMap::new()).text();
    assert!(
        text.starts_with("behaves like: legacy, as Linux 6.12.95 (2 of 2 machines)\nviolates I2 ("),
        "{text}"
    );
    assert!(text.contains(") on all 2 machines\n"), "{text}");
}
