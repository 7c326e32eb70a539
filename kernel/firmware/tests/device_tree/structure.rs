//! The format of the blob: what the gate refuses, and with which words.

use firmware::device_tree::{DeviceTreeError, StructureFault, describe, early, total_size};

use crate::fixtures::{self, IOMMU, PLAIN};
use crate::tree::read;

fn error(blob: &[u8]) -> DeviceTreeError {
    describe(blob).map(|_| ()).unwrap_err()
}

/// Whether the format of the blob is accepted, whatever it describes.
fn accepted(blob: &[u8]) -> Result<(), DeviceTreeError> {
    match describe(blob) {
        Ok(_) | Err(DeviceTreeError::NoMemory { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn described(blob: &[u8]) -> String {
    format!("{:?}", read(blob).description)
}

fn put(blob: &mut [u8], at: usize, word: u32) {
    blob[at..at + 4].copy_from_slice(&word.to_be_bytes());
}

fn get(blob: &[u8], at: usize) -> usize {
    u32::from_be_bytes(blob[at..at + 4].try_into().unwrap()) as usize
}

/// A blob made of these words as its structure block, with `#address-cells` and `x` as names.
fn words(words: &[u32]) -> Vec<u8> {
    let strings = b"#address-cells\0x\0a/b\0\xff\0\0";
    let structure = 56;
    let end = structure + 4 * words.len();
    let header =
        [0xd00d_feed, end + strings.len(), structure, end, 40, 17, 16, 0, strings.len(), 4 * words.len()];
    let mut blob: Vec<u8> = header.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect();
    blob.resize(structure, 0);
    blob.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    blob.extend_from_slice(strings);
    blob
}

const BEGIN: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;
/// A node's name `a`.
const A: u32 = 0x6100_0000;
const X: u32 = 15;

fn fault(tokens: &[u32]) -> (usize, String, StructureFault) {
    match error(&words(tokens)) {
        DeviceTreeError::Structure { offset, node, fault } => ((offset - 56) / 4, node, fault),
        other => panic!("{other}"),
    }
}

#[test]
fn the_length_of_a_blob_is_in_its_header() {
    assert_eq!(total_size(PLAIN), Ok(PLAIN.len()));
    assert_eq!(total_size(&PLAIN[..40]), Ok(PLAIN.len()));
    assert_eq!(total_size(&PLAIN[..39]), Err(DeviceTreeError::HeaderCut { given: 39 }));
    assert_eq!(total_size(&[0; 40]), Err(DeviceTreeError::Magic { found: 0 }));
}

#[test]
fn a_length_that_cannot_be_is_refused() {
    for (size, good) in [(39, false), (40, true), (2 << 20, true), ((2 << 20) + 1, false), (u32::MAX, false)]
    {
        let mut blob = PLAIN.to_vec();
        put(&mut blob, 4, size);
        let expected =
            if good { Ok(size as usize) } else { Err(DeviceTreeError::TotalSize { total_size: size }) };
        assert_eq!(total_size(&blob), expected);
    }
}

#[test]
fn a_blob_that_is_shorter_than_it_says_is_refused_with_both_numbers() {
    let cut = &PLAIN[..PLAIN.len() - 1];
    assert_eq!(error(cut), DeviceTreeError::Truncated { total_size: PLAIN.len(), given: PLAIN.len() - 1 });
}

#[test]
fn what_lies_behind_the_blocks_is_not_read() {
    let mut padded = PLAIN.to_vec();
    padded.resize(1 << 20, 0xff);
    put(&mut padded, 4, 1 << 20);
    assert_eq!(described(&padded), described(PLAIN));
}

#[test]
fn blocks_outside_of_the_blob_are_refused_by_name() {
    for (field, name) in
        [(8, "structure"), (12, "strings"), (16, "memory reservation"), (32, "strings"), (36, "structure")]
    {
        for value in [0xffff_fff0, PLAIN.len() as u32 + 1, u32::MAX] {
            let mut blob = PLAIN.to_vec();
            put(&mut blob, field, value);
            match error(&blob) {
                DeviceTreeError::Block { block, .. } => assert_eq!(block, name),
                other => panic!("{other}"),
            }
        }
    }
    let mut inside_the_header = PLAIN.to_vec();
    put(&mut inside_the_header, 8, 36);
    assert!(matches!(error(&inside_the_header), DeviceTreeError::Block { block: "structure", .. }));
}

#[test]
fn other_versions_are_refused() {
    for (field, value, good) in
        [(20, 16, false), (20, 17, true), (20, 99, true), (24, 17, true), (24, 18, false)]
    {
        let mut blob = PLAIN.to_vec();
        put(&mut blob, field, value);
        assert_eq!(accepted(&blob).is_ok(), good, "{field} {value}");
    }
}

/// `blob` with a NOP before each token.
fn with_nops(blob: &[u8]) -> Vec<u8> {
    let mut sparse = blob.to_vec();
    let (mut at, end) = (get(blob, 8), get(blob, 8) + get(blob, 36));
    while at < end {
        let bytes = match get(blob, at) as u32 {
            BEGIN => (blob[at + 4..].iter().position(|byte| *byte == 0).unwrap() + 5).next_multiple_of(4),
            PROPERTY => (get(blob, at + 4) + 12).next_multiple_of(4),
            _ => 4,
        };
        sparse.extend(NOP.to_be_bytes());
        sparse.extend_from_slice(&blob[at..at + bytes]);
        at += bytes;
    }
    let total = sparse.len();
    put(&mut sparse, 4, total as u32);
    put(&mut sparse, 8, blob.len() as u32);
    put(&mut sparse, 36, (total - blob.len()) as u32);
    sparse
}

#[test]
fn nops_are_passed_over_wherever_they_stand() {
    for (name, blob) in fixtures::ALL {
        assert_eq!(described(&with_nops(blob)), described(blob), "{name}");
    }
}

#[test]
fn tokens_that_make_no_tree_are_refused_with_their_place() {
    let root = "/".to_string();
    let a = "/a".to_string();
    assert_eq!(fault(&[BEGIN, 0, 5]), (2, root.clone(), StructureFault::Token(5)));
    assert_eq!(fault(&[BEGIN, 0]), (2, root.clone(), StructureFault::Cut));
    assert_eq!(
        fault(&[BEGIN, 0, BEGIN, A, END]),
        (4, a.clone(), StructureFault::Unbalanced("the tree ends while nodes are open"))
    );
    assert_eq!(fault(&[END]), (0, root.clone(), StructureFault::Unbalanced("the tree has no root node")));
    assert_eq!(
        fault(&[END_NODE]),
        (0, root.clone(), StructureFault::Unbalanced("a node ends that never began"))
    );
    assert_eq!(
        fault(&[BEGIN, 0, END_NODE, BEGIN, 0]),
        (3, root.clone(), StructureFault::Unbalanced("a second root node begins"))
    );
    assert_eq!(fault(&[PROPERTY, 0, X]), (0, root.clone(), StructureFault::PropertyOutside));
    assert_eq!(
        fault(&[BEGIN, 0, BEGIN, A, END_NODE, PROPERTY, 0, X]),
        (5, root.clone(), StructureFault::PropertyAfterChild("x".into()))
    );
    assert_eq!(fault(&[BEGIN, 0, BEGIN, A, PROPERTY, 9, X, 0, 0]), (4, a, StructureFault::ValueCut(9)));
    assert_eq!(
        fault(&[BEGIN, 0, PROPERTY, u32::MAX, X]),
        (2, root.clone(), StructureFault::ValueCut(u32::MAX))
    );
    assert_eq!(fault(&[BEGIN, 0, PROPERTY, 0, 99]), (2, root.clone(), StructureFault::NameOffset(99)));
    assert_eq!(fault(&[BEGIN, 0, BEGIN, 0]), (2, root.clone(), StructureFault::Name("a node's name")));
    assert_eq!(
        fault(&[BEGIN, 0, BEGIN, 0x612f_6200]),
        (2, root.clone(), StructureFault::Name("a node's name"))
    );
    assert_eq!(
        fault(&[BEGIN, 0, BEGIN, 0xff00_0000]),
        (2, root.clone(), StructureFault::Name("a node's name"))
    );
    for name in [17, 21, 23] {
        assert_eq!(
            fault(&[BEGIN, 0, PROPERTY, 0, name]),
            (2, root.clone(), StructureFault::Name("a property's name"))
        );
    }
    let mut endless = vec![BEGIN, 0, BEGIN];
    endless.extend([0x6161_6161; 100]);
    assert_eq!(fault(&endless), (2, root, StructureFault::NameEnd(255)));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        let mut tokens = vec![BEGIN, 0];
        tokens.extend([BEGIN, A].repeat(depth));
        tokens.extend([END_NODE].repeat(depth + 1));
        tokens.push(END);
        words(&tokens)
    };
    assert!(matches!(error(&nested(60)), DeviceTreeError::NoMemory { .. }));
    assert!(matches!(
        accepted(&nested(61)),
        Err(DeviceTreeError::Structure { fault: StructureFault::Depth(60), .. })
    ));
}

#[test]
fn the_number_of_nodes_is_bounded() {
    let flat = |nodes: usize| {
        let mut tokens = vec![BEGIN, 0];
        tokens.extend([BEGIN, A, END_NODE].repeat(nodes - 1));
        tokens.extend([END_NODE, END]);
        accepted(&words(&tokens))
    };
    assert_eq!(flat(16_384), Ok(()));
    assert!(matches!(
        flat(16_385),
        Err(DeviceTreeError::Structure { fault: StructureFault::Nodes(16_384), .. })
    ));
}

#[test]
fn reservations_must_end() {
    let mut blob = PLAIN.to_vec();
    let at = get(&blob, 16);
    blob[at..].fill(1);
    let total = blob.len();
    put(&mut blob, 8, 40);
    put(&mut blob, 36, 0);
    put(&mut blob, 12, 40);
    put(&mut blob, 32, 0);
    put(&mut blob, 4, total as u32);
    assert!(matches!(
        accepted(&blob),
        Err(DeviceTreeError::Structure { fault: StructureFault::Reservations(1_024), .. })
    ));
}

#[test]
fn a_blob_reads_the_same_from_any_alignment() {
    let mut shifted = vec![0];
    shifted.extend_from_slice(IOMMU);
    assert_eq!(described(&shifted[1..]), described(IOMMU));
    assert_eq!(early(&shifted[1..]), early(IOMMU));
}
