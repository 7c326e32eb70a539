//! UNMAP: the specification's examples, ranges that cover mappings, and ranges that would split one.

use crate::clause::{Clause, UNMAP_COVERED, UNMAP_EXAMPLE, UNMAP_HOLES, UNMAP_SPLIT};
use crate::script::ScriptStep::{Free, Map, Mapped, Unmap};
use crate::script::{Script, ScriptStep};
use crate::wanted::{INVAL, OK, RANGE};

const fn script(
    id: &'static str,
    about: &'static str,
    clause: Clause,
    expected: &'static str,
    steps: &'static [ScriptStep],
) -> Script {
    Script { id, about, clause, expected, steps }
}

/// UNMAP that covers a mapping of pages 2-5 and more.
macro_rules! covers {
    ($id:literal, $about:literal, $clause:ident, $first:literal..=$last:literal) => {
        script(
            $id,
            $about,
            $clause,
            "OK, and nothing is mapped",
            &[Map((2, 5), OK), Unmap(($first, $last), OK), Free((0, 9))],
        )
    };
}

/// UNMAP that covers a part of a mapping of pages 2-5.
macro_rules! splits {
    ($id:literal, $about:literal, $first:literal..=$last:literal) => {
        script(
            $id,
            $about,
            UNMAP_SPLIT,
            "RANGE, and the mapping exists",
            &[Map((2, 5), OK), Unmap(($first, $last), RANGE), Mapped((2, 5)), Unmap((2, 5), OK)],
        )
    };
}

const SPLITS_AND_COVERS: &str = "RANGE, and all mappings exist";

pub(super) const SCRIPTS: &[Script] = &[
    script(
        "unmap.example-1",
        "UNMAP in an empty domain.",
        UNMAP_EXAMPLE,
        "OK",
        &[Unmap((0, 4), OK), Free((0, 4))],
    ),
    script(
        "unmap.example-2",
        "UNMAP of exactly a mapping.",
        UNMAP_EXAMPLE,
        "OK, and it is removed",
        &[Map((0, 9), OK), Unmap((0, 9), OK), Free((0, 9))],
    ),
    script(
        "unmap.example-3",
        "UNMAP of two neighbouring mappings.",
        UNMAP_EXAMPLE,
        "OK, and both are removed",
        &[Map((0, 4), OK), Map((5, 9), OK), Unmap((0, 9), OK), Free((0, 9))],
    ),
    script(
        "unmap.example-4",
        "UNMAP of the first half of a mapping.",
        UNMAP_EXAMPLE,
        "RANGE, and it is not removed",
        &[Map((0, 9), OK), Unmap((0, 4), RANGE), Mapped((0, 9)), Unmap((0, 10), OK)],
    ),
    script(
        "unmap.example-5",
        "UNMAP of one of two neighbouring mappings.",
        UNMAP_EXAMPLE,
        "OK, and one is removed",
        &[Map((0, 4), OK), Map((5, 9), OK), Unmap((0, 4), OK), Mapped((5, 9)), Free((0, 4))],
    ),
    script(
        "unmap.example-6",
        "UNMAP of a mapping and free pages after it.",
        UNMAP_EXAMPLE,
        "OK, and it is removed",
        &[Map((0, 4), OK), Unmap((0, 9), OK), Free((0, 9))],
    ),
    script(
        "unmap.example-7",
        "UNMAP of two mappings and the gap between them.",
        UNMAP_EXAMPLE,
        "OK, and both are removed",
        &[Map((0, 4), OK), Map((10, 14), OK), Unmap((0, 14), OK), Free((0, 14))],
    ),
    script(
        "unmap.lower-of-two",
        "UNMAP of the lower of two mappings; the higher one was mapped first.",
        UNMAP_COVERED,
        "OK, and the other one stays",
        &[Map((10, 14), OK), Map((0, 4), OK), Unmap((0, 4), OK), Map((10, 14), INVAL), Free((0, 9))],
    ),
    covers!("unmap.spill-before", "UNMAP of a mapping and free pages before it.", UNMAP_HOLES, 0..=5),
    covers!("unmap.spill-after", "UNMAP of a mapping and free pages after it.", UNMAP_HOLES, 2..=9),
    covers!("unmap.spill-both", "UNMAP of a mapping and free pages on both sides.", UNMAP_HOLES, 0..=9),
    script(
        "unmap.beside",
        "UNMAP of free pages beside a mapping.",
        UNMAP_HOLES,
        "OK, and the mapping stays",
        &[Map((2, 5), OK), Unmap((0, 1), OK), Unmap((6, 9), OK), Mapped((2, 5))],
    ),
    script(
        "unmap.gap",
        "UNMAP of the gap between two mappings.",
        UNMAP_HOLES,
        "OK, and both stay",
        &[Map((2, 3), OK), Map((6, 7), OK), Unmap((4, 5), OK), Mapped((2, 3)), Mapped((6, 7))],
    ),
    script(
        "unmap.middle-of-three",
        "UNMAP of the middle one of three neighbouring mappings.",
        UNMAP_COVERED,
        "OK, and the others stay",
        &[
            Map((0, 1), OK),
            Map((2, 3), OK),
            Map((4, 5), OK),
            Unmap((2, 3), OK),
            Mapped((0, 1)),
            Mapped((4, 5)),
            Free((2, 3)),
        ],
    ),
    splits!("split.first-page", "UNMAP of the first page of a mapping.", 2..=2),
    splits!("split.last-page", "UNMAP of the last page of a mapping.", 5..=5),
    splits!("split.inside", "UNMAP inside a mapping.", 3..=4),
    splits!("split.all-but-last", "UNMAP of a mapping without its last page.", 2..=4),
    splits!("split.all-but-first", "UNMAP of a mapping without its first page.", 3..=5),
    splits!("split.over-start", "UNMAP over the start of a mapping.", 0..=2),
    splits!("split.over-end", "UNMAP over the end of a mapping.", 5..=9),
    splits!("split.before-all-but-last", "UNMAP from before a mapping to before its last page.", 0..=4),
    splits!("split.all-but-first-after", "UNMAP from the second page of a mapping to behind it.", 3..=9),
    script(
        "split.second-of-two",
        "UNMAP of a mapping and a part of the next one.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((0, 1), OK), Map((2, 5), OK), Unmap((0, 3), RANGE), Mapped((0, 5))],
    ),
    script(
        "split.second-of-two-mapped-first",
        "The same, and the next one was mapped first.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((2, 5), OK), Map((0, 1), OK), Unmap((0, 3), RANGE), Mapped((0, 5))],
    ),
    script(
        "split.first-of-two",
        "UNMAP of a part of a mapping and the next one.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((0, 3), OK), Map((4, 5), OK), Unmap((2, 5), RANGE), Mapped((0, 5))],
    ),
    script(
        "split.first-of-two-mapped-last",
        "The same, and the next one was mapped first.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((4, 5), OK), Map((0, 3), OK), Unmap((2, 5), RANGE), Mapped((0, 5))],
    ),
    script(
        "split.both-ends",
        "UNMAP of a mapping and parts of both neighbours.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((0, 3), OK), Map((4, 5), OK), Map((6, 9), OK), Unmap((2, 7), RANGE), Mapped((0, 9))],
    ),
    script(
        "split.both-ends-middle-first",
        "The same, and the whole one was mapped first.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((4, 5), OK), Map((0, 3), OK), Map((6, 9), OK), Unmap((2, 7), RANGE), Mapped((0, 9))],
    ),
    script(
        "split.last-of-three",
        "UNMAP of two mappings and a part of a third one.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((0, 0), OK), Map((1, 1), OK), Map((2, 5), OK), Unmap((0, 3), RANGE), Mapped((0, 5))],
    ),
    script(
        "split.after-hole",
        "UNMAP of a mapping, a hole and a part of another mapping.",
        UNMAP_SPLIT,
        SPLITS_AND_COVERS,
        &[Map((0, 1), OK), Map((4, 7), OK), Unmap((0, 5), RANGE), Mapped((0, 1)), Mapped((4, 7))],
    ),
];
