//! What the tool leaves behind when it is told to end: no QEMU.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest that anything here may take.
const LONG: Duration = Duration::from_secs(60);

fn script(file: &Path, text: &str) {
    fs::write(file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a run with a compiler that has nothing to do and a QEMU that never ends, sends `signal`, and
/// wants both gone.
fn end_with(signal: &str) {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    fs::write(file("iogroups"), "").unwrap();
    thread::sleep(Duration::from_millis(20));
    fs::write(file("iogroups.Image"), "").unwrap();
    let executable = file("iogroups").display().to_string();
    script(
        &file("cargo"),
        &format!(r#"echo '{{"reason":"compiler-artifact","executable":"{executable}"}}'"#),
    );
    script(&file("rustc"), &format!("echo {}", place.path().display()));
    let id_file = file("id");
    script(&file("qemu"), &format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 300", id_file.display()));
    let mut run = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["qemu", "--bare", "--no-setup", "--timeout", "100", "--qemu"])
        .arg(file("qemu"))
        .env("CARGO", file("cargo"))
        .env("RUSTC", file("rustc"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = wait_for("QEMU did not start", || fs::read_to_string(&id_file).ok());
    let id = id.trim();
    let sent = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = wait_for("the tool did not end", || run.try_wait().unwrap());
    let alive = Command::new("kill").args(["-0", id]).stderr(Stdio::null()).status().unwrap().success();
    if alive {
        // Only the test may fail; its process must not stay.
        let _ = Command::new("kill").arg(id).status();
    }
    assert!(!alive, "SIG{signal} leaves QEMU behind");
    assert_eq!(status.code(), Some(125), "SIG{signal}");
}

#[test]
fn no_signal_that_asks_us_to_end_leaves_a_qemu_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        end_with(signal);
    }
}
