use super::*;
use crate::linux::console::Stage;
use crate::linux::grouping::tests::grouping;
use crate::linux::listing::tests::{CONSOLE, listing};
use crate::topology::Topology;

fn subject() -> Subject {
    let topology = Topology::parse("port", "probes = \"x\"\nargs = \"-device virtio-iommu-pci\"").unwrap();
    Subject::of(&topology, report::Firmware::Dt, "qemu", "").unwrap()
}

fn finished(end: End) -> Finished {
    Finished { end, took: Duration::from_secs(3), console: Vec::new(), qemu: Vec::new() }
}

fn listed(text: &str) -> Finished {
    finished(End::Listed(Box::new(Listing::parse(&text.lines().map(String::from).collect::<Vec<_>>()))))
}

fn reference(grouping: &Grouping, breaks: &[&str]) -> Reference {
    let breaks = breaks.iter().map(|id| (*id).to_owned()).collect();
    Reference { groupings: vec![grouping.clone()], breaks }
}

/// As our kernel would answer: `fixed` and `upstream` as the listing, `regressed` late, `legacy` without the port.
fn comparison() -> Comparison {
    let good = Grouping::of_listing(&listing());
    let late = Grouping { late: ["0000:01:00.0".to_owned()].into(), ..good.clone() };
    let less = grouping(&[&["0000:01:00.0"]], &["0000:00:01.0", "0000:00:02.0"], &[]);
    Comparison {
        expected: vec![good.clone()],
        fixed: Some(good.clone()),
        paths: vec![
            (probe::Path::Fixed, reference(&good, &[])),
            (probe::Path::Upstream, reference(&good, &[])),
            (probe::Path::Regressed, reference(&late, &["I3", "I9"])),
            (probe::Path::Legacy, reference(&less, &["I2"])),
        ],
    }
}

fn judge(runs: Vec<Finished>) -> Judged {
    Judged::of(&subject(), runs, |_| Ok(comparison()))
}

fn broken(judged: &Judged) -> Vec<&str> {
    judged.breaks.keys().map(String::as_str).collect()
}

/// The listing after the device was grouped late.
fn late() -> String {
    CONSOLE.replace(
        "@@ end",
        "@@ log virtio-pci 0000:01:00.0: late IOMMU probe at driver bind, something fishy here!\n@@ end",
    )
}

/// The listing without the group of the port.
fn less() -> String {
    let lines = CONSOLE.lines().filter(|line| {
        !["@@ group 0", "@@ region 0", "@@ member 0"].iter().any(|start| line.starts_with(start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_groups_are_ok_and_like_every_path_that_gives_them() {
    let judged = judge(vec![listed(CONSOLE)]);
    assert_eq!((judged.status, broken(&judged)), (Status::Ok, vec![]));
    assert_eq!(judged.paths, [probe::Path::Fixed, probe::Path::Upstream]);
}

#[test]
fn each_defect_is_named_by_the_path_that_has_it() {
    let judged = judge(vec![listed(&late())]);
    assert_eq!((judged.status, &judged.paths[..]), (Status::Differs, &[probe::Path::Regressed][..]));
    assert_eq!(broken(&judged), ["I3", "I9"]);
    assert_eq!(judged.breaks["I9"], "as regressed");
    let judged = judge(vec![listed(&less())]);
    assert_eq!((judged.status, &judged.paths[..]), (Status::Differs, &[probe::Path::Legacy][..]));
    assert_eq!(broken(&judged), ["I2"]);
}

#[test]
fn of_several_paths_with_the_same_answer_only_what_all_of_them_violate_counts() {
    let alike = |breaks: [&[&str]; 2]| {
        let mut comparison = comparison();
        let seen = comparison.paths[2].1.groupings[0].clone();
        let [upstream, regressed] = breaks.map(|ids| reference(&seen, ids));
        comparison.paths[1].1 = upstream;
        comparison.paths[2].1 = regressed;
        Judged::of(&subject(), vec![listed(&late())], |_| Ok(comparison))
    };
    let judged = alike([&["I5", "I11"], &["I5", "I9"]]);
    assert_eq!(judged.paths, [probe::Path::Upstream, probe::Path::Regressed]);
    assert_eq!((broken(&judged), &*judged.breaks["I5"]), (vec!["I3", "I5"], "as upstream and regressed"));
    assert_eq!(broken(&alike([&["I5"], &["I9"]])), ["I3"]);
}

#[test]
fn a_kernel_without_anything_to_compare_with_is_not_judged() {
    let missing = |release: &str| anyhow::bail!("nothing for {release}");
    let judged = Judged::of(&subject(), vec![listed(CONSOLE)], missing);
    assert_eq!((judged.status, judged.status.is_unable()), (Status::Unknown, true));
    assert_eq!(judged.why.unwrap(), "nothing to compare with: nothing for 7.3.4+deb13-arm64");
}

#[test]
fn an_iommu_in_a_group_violates_i4_and_is_like_no_path() {
    let text = CONSOLE.replace(
        "@@ member 0 0000:00:02.0 pci",
        "@@ member 0 0000:00:02.0 pci\n@@ member 0 0000:00:01.0 pci",
    );
    let judged = judge(vec![listed(&text)]);
    assert_eq!((judged.status, judged.paths.len(), broken(&judged)), (Status::Differs, 0, vec!["I4"]));
}

#[test]
fn answers_that_vary_violate_i1() {
    let judged = judge(vec![listed(CONSOLE), listed(&less()), listed(CONSOLE)]);
    assert_eq!((judged.status, broken(&judged)), (Status::Varies, vec!["I1", "I2"]));
    assert_eq!(judged.partitions.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(judge(vec![listed(CONSOLE), listed(CONSOLE)]).status, Status::Ok);
}

#[test]
fn answers_that_vary_as_expected_are_ok_and_violate_i1_all_the_same() {
    let mut both = comparison();
    both.expected.push(grouping(&[&["0000:01:00.0"]], &["0000:00:01.0", "0000:00:02.0"], &[]));
    let judged = Judged::of(&subject(), vec![listed(CONSOLE), listed(&less())], |_| Ok(both));
    assert_eq!((judged.status, judged.partitions.len()), (Status::Ok, 2), "{:?}", judged.differences);
    assert!(broken(&judged).contains(&"I1"));
}

#[test]
fn a_kernel_that_lists_nothing_is_told_apart() {
    let panics = End::Panics { why: "no root".into() };
    let hangs = End::Hangs { after: Duration::from_secs(9), stage: Stage::Module("nvme".into()) };
    let ends = End::Ends { status: "exit status: 0".into(), stage: Stage::Init };
    let no_groups = listed("@@ begin\n@@ release 6\n@@ driver virtio_iommu\n@@ end");
    let no_driver = listed("@@ begin\n@@ release 6\n@@ groups\n@@ end");
    for (run, status, words) in [
        (finished(panics), Status::Panics, "no root"),
        (finished(hangs), Status::Hangs, "after 9 s: while the module nvme"),
        (finished(ends), Status::Ends, "in our init"),
        (no_groups, Status::NoGroups, "CONFIG_IOMMU_SUPPORT"),
        (no_driver, Status::NoDriver, "CONFIG_VIRTIO_IOMMU"),
    ] {
        let judged = judge(vec![run]);
        assert_eq!(judged.status, status);
        assert!(judged.why.as_deref().unwrap().contains(words), "{:?}", judged.why);
        assert!(judged.paths.is_empty() && !judged.status.is_compared());
    }
}
