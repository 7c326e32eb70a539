//! Runs against programs that behave as a QEMU might.

use std::os::unix::fs::PermissionsExt;

use report::Verdict;

use super::*;

/// Runs a shell script in place of QEMU.
fn run(script: &str, status_counts: bool, deadline: Duration) -> Result<Outcome, Stop> {
    let directory = tempfile::tempdir().unwrap();
    let words = ["sh", "-c", script].map(String::from);
    let run = Run {
        words: &words,
        directory: directory.path(),
        deadline: Some(deadline),
        status_counts,
        log: &Log::Hidden,
        slot_changes: &[],
    };
    run.outcome()
}

const LONG: Duration = Duration::from_secs(20);

/// A report as the kernel writes it, for a shell script in single quotes.
fn line(result: Verdict) -> String {
    let mut report = Report::of_error(report::Run::default(), "why".into());
    report.result = result;
    if result != Verdict::Error {
        report.error = None;
    }
    report.to_json_line()
}

#[test]
fn a_report_in_the_file_and_an_agreeing_status_pass() {
    let script = format!("echo '[    0.0] log'; echo '{}' > report.json", line(Verdict::Pass));
    let outcome = run(&script, true, LONG).unwrap();
    assert_eq!(outcome.kind, Kind::Pass);
}

#[test]
fn lines_of_the_log_that_linux_has_too_are_kept_once_and_without_their_time() {
    let script = format!(
        "echo '[    0.0] log'; echo '[    0.1] OF: /p: no iommu-map translation for id 0x8 on (null)'; \
         echo '[    0.2] OF: /p: no iommu-map translation for id 0x8 on (null)'; echo '{}' > report.json",
        line(Verdict::Pass)
    );
    let log = run(&script, true, LONG).unwrap().log;
    assert_eq!(
        log.into_iter().collect::<Vec<_>>(),
        ["OF: /p: no iommu-map translation for id 0x8 on (null)"]
    );
}

#[test]
fn a_report_between_lines_of_the_log_passes() {
    let script = format!("echo '[    0.0] log'; echo '{}'; echo '[    0.1] end'", line(Verdict::Pass));
    assert_eq!(run(&script, false, LONG).unwrap().kind, Kind::Pass);
}

#[test]
fn a_report_of_an_error_keeps_its_kind_and_its_text() {
    let script = format!("echo x; echo '{}' > report.json; exit 1", line(Verdict::Error));
    let outcome = run(&script, true, LONG).unwrap();
    assert_eq!((outcome.kind, outcome.report.error.as_deref()), (Kind::Error, Some("why")));
}

#[test]
fn a_status_that_disagrees_with_the_report_is_a_crash() {
    for (result, status) in [(Verdict::Pass, 1), (Verdict::Fail, 0), (Verdict::Error, 3)] {
        let script = format!("echo x; echo '{}' > report.json; exit {status}", line(result));
        let outcome = run(&script, true, LONG).unwrap();
        assert_eq!(outcome.kind, Kind::Crash, "{result:?} with {status}");
        assert!(outcome.report.error.unwrap().contains(&format!("exit status: {status}")));
    }
}

#[test]
fn without_semihosting_the_status_is_always_zero() {
    let script = format!("echo '{}'; exit 0", line(Verdict::Fail));
    assert_eq!(run(&script, false, LONG).unwrap().kind, Kind::Fail);
}

#[test]
fn a_report_that_is_cut_short_is_a_crash() {
    let whole = line(Verdict::Pass);
    let script = format!("echo x; printf '%s' '{}' > report.json", &whole[..whole.len() - 1]);
    let outcome = run(&script, true, LONG).unwrap();
    assert_eq!(outcome.kind, Kind::Crash);
    assert!(outcome.report.error.unwrap().contains("not complete"));
}

#[test]
fn a_run_without_a_report_shows_the_last_lines() {
    let outcome = run("for n in $(seq 100); do echo line $n; done; exit 3", true, LONG).unwrap();
    assert_eq!(outcome.kind, Kind::Crash);
    let error = outcome.report.error.unwrap();
    assert!(error.contains("line 100") && error.contains("line 80") && !error.contains("line 70"), "{error}");
}

#[test]
fn a_hang_is_stopped_at_the_deadline_and_its_process_ended() {
    let started = Instant::now();
    let script = "echo $$; echo '[    0.0] waiting'; exec sleep 300";
    let outcome = run(script, true, Duration::from_millis(400)).unwrap();
    assert_eq!(outcome.kind, Kind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(10));
    let error = outcome.report.error.unwrap();
    assert!(error.contains("waiting"), "{error}");
    let id = error.lines().nth(1).unwrap().trim();
    assert!(!Path::new("/proc").join(id).join("exe").exists(), "process {id} is still there");
}

#[test]
fn a_guest_that_said_nothing_is_told_apart_from_one_that_hangs() {
    let deadline = Duration::from_millis(400);
    let outcome = run("echo 'warning: old CPU' >&2; exec sleep 300", true, deadline).unwrap();
    let error = outcome.report.error.unwrap();
    assert!(error.contains("the guest wrote nothing") && error.contains("64-bit"), "{error}");
    let outcome = run("echo '[    0.0] waiting'; exec sleep 300", true, deadline).unwrap();
    assert!(!outcome.report.error.unwrap().contains("wrote nothing"));
}

#[test]
fn a_hang_after_the_report_is_still_a_timeout() {
    let script = format!("echo '{}' > report.json; exec sleep 300", line(Verdict::Pass));
    let outcome = run(&script, true, Duration::from_millis(400)).unwrap();
    assert_eq!(outcome.kind, Kind::Timeout);
    assert!(outcome.report.error.unwrap().contains("though it had reported"));
}

#[test]
fn a_qemu_that_refuses_its_arguments_could_not_run() {
    let stop = run("echo 'invalid option' >&2; exit 1", true, LONG).unwrap_err();
    assert_eq!(stop.kind, Kind::Unable);
    assert!(stop.message.contains("invalid option"), "{}", stop.message);
}

#[test]
fn a_qemu_that_is_not_there_could_not_run() {
    let words = ["/no/such/qemu".to_owned()];
    let run = Run {
        words: &words,
        directory: Path::new("/"),
        deadline: None,
        status_counts: true,
        log: &Log::Hidden,
        slot_changes: &[],
    };
    assert_eq!(run.outcome().unwrap_err().kind, Kind::Unable);
}

#[test]
fn a_qemu_that_crashes_is_not_a_pass() {
    let script = format!("echo x; echo '{}' > report.json; kill -SEGV $$", line(Verdict::Pass));
    let outcome = run(&script, true, LONG).unwrap();
    assert_eq!(outcome.kind, Kind::Crash);
    assert!(outcome.report.error.unwrap().contains("signal"));
}

#[test]
fn bytes_that_drive_a_terminal_are_not_passed_on() {
    let outcome = run(r"printf 'a\033[2Jb\377\n'; exit 0", true, LONG).unwrap();
    let error = outcome.report.error.unwrap();
    assert!(error.contains("a?[2Jb"), "{error:?}");
}

#[test]
fn a_report_of_another_schema_is_refused() {
    let script =
        format!("echo x; echo '{}' > report.json", line(Verdict::Pass).replace("iogroups/1", "iogroups/9"));
    assert_eq!(run(&script, true, LONG).unwrap().kind, Kind::Crash);
}

#[test]
fn the_program_runs_in_the_run_directory() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("qemu");
    fs::write(&program, format!("#!/bin/sh\necho x\necho '{}' > report.json\n", line(Verdict::Pass)))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let words = [program.display().to_string()];
    let run = Run {
        words: &words,
        directory: directory.path(),
        deadline: Some(LONG),
        status_counts: true,
        log: &Log::Hidden,
        slot_changes: &[],
    };
    assert_eq!(run.outcome().unwrap().kind, Kind::Pass);
    assert!(directory.path().join(REPORT_FILE).is_file());
}

#[test]
fn of_qemus_warnings_only_that_of_a_network_card_without_a_peer_is_left_out() {
    let script = "echo 'qemu: warning: nic virtio-net-pci.0 has no peer' >&2; \
                  echo 'qemu: warning: netdev n1 has no peer' >&2; exit 1";
    let message = run(script, true, LONG).unwrap_err().message;
    assert!(message.ends_with("; its last lines:\n  qemu: warning: netdev n1 has no peer"), "{message}");
}
