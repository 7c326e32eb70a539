use super::*;
use crate::output;
use crate::topology::Topology;

fn subject(topology: &str) -> Subject {
    let topology = Topology::find(topology).unwrap();
    Subject::of(&topology, report::Firmware::Dt, "qemu", "").unwrap()
}

fn recorded() -> PathBuf {
    output::workspace().join("xtask/linux/expected")
}

#[test]
fn of_several_recorded_answers_that_of_the_same_linux_counts() {
    assert_eq!(saved(&recorded(), &subject("simple"), "6.16.3").unwrap().len(), 1);
    let error = saved(&recorded(), &subject("simple"), "6.17").unwrap_err().to_string();
    assert!(error.contains("simple.dt.6.12.95.json"), "{error}");
}

#[test]
fn every_answer_of_a_linux_that_varies_counts() {
    let groups: Vec<usize> = saved(&recorded(), &subject("pxb"), "6.16.3")
        .unwrap()
        .iter()
        .map(|grouping| grouping.partition().len())
        .collect();
    assert_eq!(groups, [1, 0]);
}

#[test]
fn the_only_answer_for_a_machine_counts_for_every_linux() {
    let place = tempfile::tempdir().unwrap();
    let file = "simple.dt.6.16.3.json";
    fs::copy(recorded().join(file), place.path().join(file)).unwrap();
    assert_eq!(saved(place.path(), &subject("simple"), "6.17").unwrap().len(), 1);
    let error = saved(place.path(), &subject("flat"), "6.17").unwrap_err().to_string();
    assert!(error.contains("neither flat.json nor flat.dt.VERSION.json"), "{error}");
}

#[test]
fn a_file_without_an_answer_is_an_error_with_its_reason() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("x.json");
    for (text, why) in [
        (r#"{"topology":"x","error":"panics: no root"}"#, "panics: no root"),
        (r#"{"schema":"iogroups/1"}"#, "is not a report"),
        ("[]", "neither a report nor an answer of Linux"),
        ("{", "is not JSON"),
    ] {
        fs::write(&file, text).unwrap();
        let error = format!("{:#}", saved(&file, &subject("simple"), "6.17").unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}
