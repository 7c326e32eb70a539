//! Cases about intervals: mappings of one domain, in pages of the device's granule.

use crate::bench::{Bench, Pages};
use crate::clause::Clause;
use crate::deviation::Check;
use crate::wanted::{INVAL, OK, Wanted};

/// A case that maps and unmaps in one domain.
pub(crate) struct Script {
    pub(crate) id: &'static str,
    pub(crate) about: &'static str,
    pub(crate) clause: Clause,
    pub(crate) expected: &'static str,
    pub(crate) steps: &'static [ScriptStep],
}

/// One step of a [`Script`].
#[derive(Clone, Copy)]
pub(crate) enum ScriptStep {
    /// MAP is answered so.
    Map(Pages, Wanted),
    /// UNMAP is answered so.
    Unmap(Pages, Wanted),
    /// Each of these pages is part of a mapping: MAP of it is rejected.
    Mapped(Pages),
    /// None of these pages is part of a mapping: MAP of all of them succeeds.
    Free(Pages),
}

pub(crate) fn run(bench: &mut Bench<'_>, steps: &[ScriptStep]) -> Check {
    let domain = bench.attached()?;
    let count = |(first, last): Pages| last - first + 1;
    for step in steps {
        match *step {
            ScriptStep::Map(pages, wanted) => {
                bench.expect_at(pages, &bench.map(domain, pages.0, count(pages)), wanted)?;
            }
            ScriptStep::Unmap(pages, wanted) => {
                bench.expect_at(pages, &bench.unmap(domain, pages.0, count(pages)), wanted)?;
            }
            ScriptStep::Mapped((first, last)) => {
                for page in first..=last {
                    bench.expect_at((page, page), &bench.map(domain, page, 1), INVAL)?;
                }
            }
            ScriptStep::Free(pages) => {
                bench.expect_at(pages, &bench.map(domain, pages.0, count(pages)), OK)?
            }
        }
    }
    Ok(())
}
