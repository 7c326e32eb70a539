use super::*;

/// An ELF file with these loadable segments: physical address, bytes, size in memory.
fn elf(segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(2u16.to_le_bytes()); // executable
    file.extend(183u16.to_le_bytes()); // aarch64
    file.extend(1u32.to_le_bytes());
    file.extend(0u64.to_le_bytes()); // entry
    file.extend(64u64.to_le_bytes()); // program headers
    file.extend(0u64.to_le_bytes()); // section headers
    file.extend(0u32.to_le_bytes());
    for half in [64, 56, u16::try_from(segments.len()).unwrap(), 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = 64 + 56 * segments.len() as u64;
    for (address, bytes, memory) in segments {
        file.extend(1u32.to_le_bytes()); // PT_LOAD
        file.extend(5u32.to_le_bytes());
        for word in [offset, 0xffff_0000, *address, bytes.len() as u64, *memory, 1] {
            file.extend(word.to_le_bytes());
        }
        offset += bytes.len() as u64;
    }
    segments.iter().for_each(|(_, bytes, _)| file.extend(*bytes));
    file
}

fn head() -> Vec<u8> {
    let mut head = vec![0x11; 64];
    head[MAGIC_AT..MAGIC_AT + 4].copy_from_slice(MAGIC);
    head
}

#[test]
fn segments_are_laid_out_by_physical_address_and_gaps_are_zero() {
    let flat = flatten(&elf(&[(0x4000_0080, &[7, 8], 0x1000), (0x4000_0000, &head(), 64)])).unwrap();
    assert_eq!(flat.len(), 0x82, "bss is not in the file");
    assert_eq!(flat[..64], head());
    assert_eq!(flat[64..0x80], [0; 64]);
    assert_eq!(flat[0x80..], [7, 8]);
}

#[test]
fn a_first_segment_without_an_image_header_is_refused() {
    let error = flatten(&elf(&[(0x4000_0000, &[0; 64], 64)])).unwrap_err();
    assert!(error.to_string().contains("Image header"), "{error}");
}

#[test]
fn segments_far_apart_are_refused_and_not_filled() {
    let error = flatten(&elf(&[(0, &head(), 64), (1 << 40, &[1], 1)])).unwrap_err();
    assert!(error.to_string().contains("0x10000000000"), "{error}");
}

#[test]
fn every_prefix_of_a_file_is_refused_or_complete() {
    let file = elf(&[(0x4000_0000, &head(), 64)]);
    for length in 0..file.len() {
        assert!(flatten(&file[..length]).is_err(), "accepted the first {length} bytes");
    }
    assert!(flatten(&file).is_ok());
}

#[test]
fn the_image_that_exits_has_the_size_and_the_magic_that_its_header_says() {
    let image = that_exits();
    assert_eq!(image.len(), 96);
    assert_eq!(image[16..24], 96u64.to_le_bytes());
    assert_eq!(image[MAGIC_AT..MAGIC_AT + 4], *MAGIC);
}
