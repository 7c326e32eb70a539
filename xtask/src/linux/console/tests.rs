use super::*;

/// A run of a shell that prints what a kernel would.
fn shell(script: &str, deadline_ms: u64) -> Finished {
    let words = ["sh", "-c", script].map(String::from);
    run(&words, Path::new("/"), Duration::from_millis(deadline_ms), &[]).unwrap()
}

#[test]
fn a_listing_ends_the_run_though_the_machine_goes_on() {
    let finished = shell(
        "echo '[ 0.1] Linux'; echo '@@ begin'; echo '@@ release 7.3.4'; echo '@@ end'; sleep 100",
        20_000,
    );
    let End::Listed(listing) = finished.end else { panic!("{:?}", finished.end) };
    assert_eq!(listing.release, "7.3.4");
    assert!(finished.took < Duration::from_secs(20));
    assert_eq!(finished.console.len(), 4);
}

#[test]
fn a_panic_is_told_from_a_hang_and_from_a_reset() {
    let End::Panics { why } =
        shell("echo '[ 1.0] Kernel panic - not syncing: VFS: no root'; echo more", 20_000).end
    else {
        panic!()
    };
    assert_eq!(why, "VFS: no root");
    let End::Ends { stage, .. } = shell("echo '[ 1.0] last words'", 20_000).end else { panic!() };
    assert_eq!(stage, Stage::Kernel("[ 1.0] last words".into()));
    let End::Hangs { stage, .. } = shell("echo '@@ init'; echo '@@ module nvme'; exec sleep 100", 300).end
    else {
        panic!()
    };
    assert_eq!(stage, Stage::Module("nvme".into()));
    assert!(stage.text().contains("nvme"));
    let End::Hangs { stage, .. } = shell("exec sleep 100", 200).end else { panic!() };
    assert_eq!(stage, Stage::Silent);
    let silent = "echo '[ 1.0] Run /init as init process'; echo '[ 1.1] igb: a driver'; exec sleep 100";
    let End::Hangs { stage, .. } = shell(silent, 300).end else { panic!() };
    assert_eq!(stage, Stage::Started);
    let End::Hangs { stage, .. } =
        shell("echo '@@ init'; echo '@@ begin'; echo '@@ group 0 DMA'; exec sleep 100", 300).end
    else {
        panic!()
    };
    assert_eq!(stage, Stage::Listing);
}

#[test]
fn a_qemu_that_refuses_the_machine_is_not_a_failed_kernel() {
    let words = ["sh", "-c", "echo 'no such device' >&2; exit 1"].map(String::from);
    let stop = run(&words, Path::new("/"), Duration::from_secs(20), &[]).unwrap_err();
    assert_eq!(stop.kind, crate::outcome::Kind::Unable);
    assert!(stop.message.contains("no such device"), "{}", stop.message);
}
