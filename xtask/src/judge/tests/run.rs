//! The run: its facts, its instructions, its race, its end.

use super::*;

#[test]
fn the_facts_of_the_run_are_compared() {
    let expect = format!("{EXPECT}run = {{ exception_level = 2, cpus = 2, memory_mib = 128 }}\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()).len(), 3);
    report.run.exception_level = 2;
    report.run.cpus = 2;
    report.run.memory_bytes = 128 << 20;
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn too_many_instructions_are_seen_and_so_is_a_clock_that_stands_still() {
    let expect = EXPECT.replace(
        "[expect]",
        "args = \"-icount shift=0,sleep=off\"\n[expect]\ninstructions_below = 2_000_000",
    );
    for (microseconds, differences) in [(0, 1), (1_999, 0), (2_000, 1), (30_000, 1)] {
        let mut report = right();
        report.timing_us.total = microseconds;
        assert_eq!(judge_with(&expect, report).len(), differences, "{microseconds}");
    }
}

#[test]
fn a_run_that_broke_off_is_one_difference_with_its_text() {
    let outcome = Outcome::without_report(Kind::Timeout, "it did not end".into());
    let expect = Topology::parse("x", EXPECT).unwrap().expect;
    assert_eq!(differences(&outcome, &expect, None), ["timeout: it did not end"]);
}

#[test]
fn a_race_has_all_its_rounds_with_both_cpus_in_them() {
    let mut expect = Topology::parse("x", EXPECT).unwrap().expect;
    let found = |expect: &Expect, race: Option<(u64, u64)>| {
        let mut report = right();
        report.race = race.map(|(rounds, switches)| report::Race {
            about: String::new(),
            path: "fixed".into(),
            seed: 0,
            rounds,
            pieces: [rounds, rounds],
            switches,
            broken: Vec::new(),
            not_provoked: Vec::new(),
            partitions: Vec::new(),
        });
        race::differences(&report, expect).join("; ")
    };
    assert_eq!(found(&expect, None), "");
    assert!(found(&expect, Some((10, 20))).contains("not requested"));
    expect.rounds = Some(10);
    assert_eq!(found(&expect, Some((10, 20))), "");
    assert!(found(&expect, None).contains("no scenario was played"));
    assert!(found(&expect, Some((9, 20))).contains("expected 10 rounds, there were 9"));
    assert!(found(&expect, Some((10, 9))).contains("followed the other 9 times"));
}
