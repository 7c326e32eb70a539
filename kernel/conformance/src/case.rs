//! A protocol case.

use crate::bench::Bench;
use crate::clause::Clause;
use crate::deviation::Check;
use crate::need::Need;
use crate::script::Script;

/// One protocol case.
#[derive(Clone, Copy)]
pub struct Case {
    /// Stable identifier: `map.start-unaligned`.
    pub id: &'static str,
    /// What is sent, in one sentence.
    pub about: &'static str,
    /// The requirement that it tests.
    pub clause: Clause,
    /// What the specification wants as the outcome.
    pub expected: &'static str,
    pub(crate) needs: &'static [Need],
    /// Why it is not run by default.
    pub hazard: Option<Hazard>,
    /// Whether it reads what the device presents and sends no request.
    pub(crate) only_reads: bool,
    pub(crate) body: Body,
}

/// A known defect of a device that makes a case too dangerous to run unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// What would happen, and where.
    pub what: &'static str,
}

/// How a case is run.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    Function(fn(&mut Bench<'_>) -> Check),
    Script(&'static Script),
}

impl Case {
    pub(crate) const fn new(
        id: &'static str,
        about: &'static str,
        clause: Clause,
        expected: &'static str,
        run: fn(&mut Bench<'_>) -> Check,
    ) -> Self {
        Self {
            id,
            about,
            clause,
            expected,
            needs: &[],
            hazard: None,
            only_reads: false,
            body: Body::Function(run),
        }
    }

    pub(crate) const fn of_script(script: &'static Script) -> Self {
        let Script { id, about, clause, expected, .. } = *script;
        Self {
            id,
            about,
            clause,
            expected,
            needs: &[],
            hazard: None,
            only_reads: false,
            body: Body::Script(script),
        }
    }

    pub(crate) const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    pub(crate) const fn only_reads(self) -> Self {
        Self { only_reads: true, ..self }
    }

    pub(crate) const fn hazard(self, what: &'static str) -> Self {
        Self { hazard: Some(Hazard { what }), ..self }
    }
}
