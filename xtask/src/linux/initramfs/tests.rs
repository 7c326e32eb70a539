use super::*;

#[test]
fn the_archive_is_read_back_by_cpio() {
    let module = |name: &str, size| Module { name: name.into(), elf: vec![7; size] };
    let bytes = archive(b"an init", &[module("virtio_iommu", 5), module("nvme", 4)]);
    assert_eq!(bytes.len() % 4, 0);
    // Magic number, thirteen fields, name, content: the walk has to end with the trailer.
    let (mut at, mut seen) = (0, Vec::new());
    loop {
        let field = |number: usize| {
            let digits = &bytes[at + 6 + 8 * number..][..8];
            usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
        };
        assert_eq!(&bytes[at..at + 6], b"070701");
        let name = std::str::from_utf8(&bytes[at + 110..][..field(11) - 1]).unwrap();
        let start = (at + 110 + field(11)).next_multiple_of(4);
        let content = &bytes[start..start + field(6)];
        seen.push((name, field(1), (field(9), field(10)), content));
        at = (start + field(6)).next_multiple_of(4);
        if name == "TRAILER!!!" {
            break;
        }
    }
    assert_eq!(at, bytes.len());
    let find = |wanted: &str| *seen.iter().find(|(name, ..)| *name == wanted).unwrap();
    assert_eq!(find("init"), ("init", 0o100_755, (0, 0), &b"an init"[..]));
    assert_eq!(find("modules").3, b"virtio_iommu\nnvme\n");
    assert_eq!(find("m/virtio_iommu").3, [7; 5]);
    assert_eq!(find("dev/console"), ("dev/console", 0o020_600, (5, 1), &b""[..]));
    assert_eq!(find("dev/kmsg").2, (1, 11));
    assert_eq!(find("sys").1, 0o040_755);
}
