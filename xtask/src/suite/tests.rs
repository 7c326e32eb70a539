use super::*;

fn checked(differences: &[&str]) -> Checked {
    Checked {
        name: "simple".into(),
        layer: "boot",
        took: Duration::from_millis(1200),
        command: "qemu -M virt".into(),
        differences: differences.iter().map(|&text| text.into()).collect(),
    }
}

#[test]
fn a_failure_shows_what_differs_and_the_command() {
    assert_eq!(checked(&[]).text(), "ok     boot simple (1.2 s)");
    assert_eq!(
        checked(&["missing group 1\nof two"]).text(),
        "FAILED boot simple (1.2 s)\n       missing group 1\n       of two\n       qemu -M virt"
    );
}

#[test]
fn the_summary_counts_both_kinds() {
    let summary = summary(&[checked(&[]), checked(&["x"]), checked(&[])], Kind::Fail);
    assert_eq!(summary["passed"], 2);
    assert_eq!(summary["failed"], 1);
    assert_eq!(summary["exit_status"], 1);
    assert_eq!(summary["tests"][1]["differences"][0], "x");
}

#[test]
fn the_junit_report_names_failures() {
    let file = tempfile::NamedTempFile::new().unwrap();
    write_junit(file.path(), &[checked(&[]), checked(&["missing group"])]).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.contains("failures=\"1\"") && text.contains("missing group"), "{text}");
}

#[test]
fn another_route_than_the_one_meant_is_a_difference() {
    assert_eq!(route_difference(Firmware::UefiDt, "uefi-dt"), None);
    assert!(route_difference(Firmware::UefiDt, "dt").is_some());
    assert_eq!(route_difference(Firmware::UefiDt, ""), None);
}
