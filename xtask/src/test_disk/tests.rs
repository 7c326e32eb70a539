use report::{DeviceDma, Run, Transfer};

use super::*;

/// The report of one device that wrote its sector.
fn report() -> Report {
    let transfer = Transfer {
        what: "write sector 32".into(),
        direction: "to-device".into(),
        iova: "0xffffe000".into(),
        physical: "0x40800000".into(),
        bytes: 512,
    };
    let mut report = Report::new(Run::default());
    report.dma = vec![DeviceDma { transfers: vec![transfer], ..DeviceDma::default() }];
    report
}

/// The disk after that.
fn written() -> Vec<u8> {
    let mut disk = content();
    disk[WRITTEN * SECTOR_SIZE..][..SECTOR_SIZE].copy_from_slice(&written_sector(WRITTEN));
    disk
}

#[test]
fn what_was_written_must_be_on_the_disk_and_nothing_else() {
    assert_eq!(differences(&[("test-disk", written())], &report()), [""; 0]);
    assert_eq!(differences(&[("test-disk", content())], &Report::new(Run::default())), [""; 0]);

    let missing = differences(&[("test-disk", content())], &report());
    assert_eq!(missing, ["1 devices wrote sector 32, it arrived on 0 disks"]);

    let mut damaged = written();
    damaged[5 * SECTOR_SIZE + 17] ^= 1;
    let damaged = differences(&[("test-disk", damaged)], &report());
    assert_eq!(damaged, ["test-disk: sector 5 was changed, first at byte 17"]);

    let mut half = written();
    half[WRITTEN * SECTOR_SIZE + 511] ^= 1;
    assert_eq!(differences(&[("test-disk", half)], &report()).len(), 2);

    assert_eq!(
        differences(&[("d", Vec::new())], &Report::new(Run::default())),
        ["d has 0 bytes, expected 32768"]
    );
}

#[test]
fn sectors_for_tests_may_have_any_content() {
    let mut disk = written();
    disk[SCRATCH * SECTOR_SIZE] ^= 1;
    assert_eq!(differences(&[("test-disk", disk)], &report()), [""; 0]);
}
