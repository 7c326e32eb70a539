//! MAP over, beside and between mappings.

use crate::clause::{MAP_OVERLAP, MAP_RANGE};
use crate::script::Script;
use crate::script::ScriptStep::{Free, Map, Mapped, Unmap};
use crate::wanted::{INVAL, OK};

/// MAP of pages that are in part those of a mapping of pages 2-5: rejected, and nothing else is mapped or unmapped.
macro_rules! over_one {
    ($id:literal, $about:literal, $first:literal..=$last:literal) => {
        Script {
            id: $id,
            about: $about,
            clause: MAP_OVERLAP,
            expected: "INVAL, and only the first mapping exists",
            steps: &[
                Map((2, 5), OK),
                Map(($first, $last), INVAL),
                Mapped((2, 5)),
                Free((0, 1)),
                Free((6, 9)),
            ],
        }
    };
}

/// MAP of pages that are none of a mapping of pages 2-5.
macro_rules! beside_one {
    ($id:literal, $about:literal, $first:literal..=$last:literal) => {
        Script {
            id: $id,
            about: $about,
            clause: MAP_RANGE,
            expected: "OK",
            steps: &[
                Map((2, 5), OK),
                Map(($first, $last), OK),
                Mapped(($first, $last)),
                Unmap((2, 5), OK),
                Mapped(($first, $last)),
            ],
        }
    };
}

/// MAP with mappings of pages 2-3 and 6-7, which is answered so.
macro_rules! between_two {
    ($id:literal, $about:literal, $clause:ident, $expected:literal, $first:literal..=$last:literal, $wanted:ident) => {
        Script {
            id: $id,
            about: $about,
            clause: $clause,
            expected: $expected,
            steps: &[
                Map((2, 3), OK),
                Map((6, 7), OK),
                Map(($first, $last), $wanted),
                Mapped((2, 3)),
                Mapped((6, 7)),
                Unmap((2, 3), OK),
                Unmap((6, 7), OK),
            ],
        }
    };
}

pub(super) const SCRIPTS: &[Script] = &[
    over_one!("overlap.same", "MAP of exactly a mapped range.", 2..=5),
    over_one!("overlap.inside", "MAP inside a mapped range.", 3..=4),
    over_one!("overlap.first-page", "MAP of the first page of a mapping.", 2..=2),
    over_one!("overlap.last-page", "MAP of the last page of a mapping.", 5..=5),
    over_one!("overlap.start-shorter", "MAP of the first half of a mapping.", 2..=3),
    over_one!("overlap.end-shorter", "MAP of the second half of a mapping.", 4..=5),
    over_one!("overlap.over-start", "MAP over the start of a mapping.", 1..=2),
    over_one!("overlap.over-end", "MAP over the end of a mapping.", 5..=6),
    over_one!("overlap.start-longer", "MAP of a mapping and the page after.", 2..=6),
    over_one!("overlap.end-longer", "MAP of a mapping and the page before.", 1..=5),
    over_one!("overlap.around", "MAP of a mapping and a page on both sides.", 1..=6),
    beside_one!("overlap.before", "MAP of the page before a mapping.", 1..=1),
    beside_one!("overlap.after", "MAP of the page after a mapping.", 6..=6),
    beside_one!("overlap.far-before", "MAP at a distance before a mapping.", 0..=0),
    beside_one!("overlap.far-after", "MAP at a distance after a mapping.", 8..=9),
    between_two!("overlap.gap", "MAP of exactly the gap between two mappings.", MAP_RANGE, "OK", 4..=5, OK),
    between_two!(
        "overlap.gap-page",
        "MAP of a page in the gap between two mappings.",
        MAP_RANGE,
        "OK",
        4..=4,
        OK
    ),
    between_two!(
        "overlap.gap-and-left",
        "MAP of a gap and the page before it.",
        MAP_OVERLAP,
        "INVAL, and both mappings exist",
        3..=5,
        INVAL
    ),
    between_two!(
        "overlap.gap-and-right",
        "MAP of a gap and the page after it.",
        MAP_OVERLAP,
        "INVAL, and both mappings exist",
        4..=6,
        INVAL
    ),
    between_two!(
        "overlap.gap-and-both",
        "MAP of a gap and a page on both sides.",
        MAP_OVERLAP,
        "INVAL, and both mappings exist",
        3..=6,
        INVAL
    ),
    between_two!(
        "overlap.both",
        "MAP around two mappings.",
        MAP_OVERLAP,
        "INVAL, and both mappings exist",
        0..=9,
        INVAL
    ),
    between_two!(
        "overlap.second",
        "MAP over the end of the second of two mappings.",
        MAP_OVERLAP,
        "INVAL, and both mappings exist",
        7..=8,
        INVAL
    ),
    Script {
        id: "overlap.downwards",
        about: "Five neighbouring pages are mapped from the highest one down.",
        clause: MAP_RANGE,
        expected: "OK for all",
        steps: &[
            Map((4, 4), OK),
            Map((3, 3), OK),
            Map((2, 2), OK),
            Map((1, 1), OK),
            Map((0, 0), OK),
            Mapped((0, 4)),
            Free((5, 5)),
        ],
    },
];
