//! How a command ends: one kind, one exit status, and a report in every case.

use std::collections::BTreeSet;
use std::time::Duration;

use report::{Report, Verdict};
use serde::{Deserialize, Serialize};

/// How a command ended. The words are part of the JSON form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The kernel reported, and everything held.
    #[default]
    Pass,
    /// The kernel reported that something does not hold.
    Fail,
    /// The kernel reported that it could not go on.
    Error,
    /// The run did not end in time.
    Timeout,
    /// The run ended without a report, or its report and its exit status disagree.
    Crash,
    /// The command line makes no sense.
    Usage,
    /// Something that the run needs is not there.
    Unable,
}

impl Kind {
    /// Exit status of the command, as `git bisect run` wants it.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail | Self::Error | Self::Timeout | Self::Crash => 1,
            Self::Usage => 2,
            Self::Unable => 125,
        }
    }

    /// The kind's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Usage => "usage",
            Self::Unable => "unable",
        }
    }
}

impl From<Verdict> for Kind {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Error => Self::Error,
        }
    }
}

/// The end of a run, with the kernel's report or one with the reason why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) kind: Kind,
    pub(crate) report: Report,
    /// Lines of the log that Linux prints in the same words and the report does not have ([`UNTRANSLATED`]), each
    /// once and without its time.
    pub(crate) log: BTreeSet<String>,
    /// How it differs from what the command line expects, if it expects anything.
    pub(crate) compared: Option<Compared>,
    /// What was asked for, whether it ran or not.
    pub(crate) asked: Option<Asked>,
    /// From QEMU's start to its end.
    pub(crate) took: Duration,
}

/// How a boot differs from what was wanted of it; a part of the JSON form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// The file of `--expect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// The number of `--expect-groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<usize>,
    /// Empty if the boot is as wanted.
    pub(crate) differences: Vec<String>,
}

/// What a command line asks for. What it leaves open, or what cannot be parsed, is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) firmware: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topology: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qemu: Option<String>,
}

/// A part of the line about a requester ID that a map does not translate (Linux: `of_map_id`).
pub(crate) const UNTRANSLATED: &str = "no iommu-map translation for id";

impl Outcome {
    /// The end of a run that gave no report.
    pub(crate) fn without_report(kind: Kind, error: String) -> Self {
        Self {
            kind,
            report: Report::of_error(report::Run::default(), error),
            log: BTreeSet::new(),
            compared: None,
            asked: None,
            took: Duration::ZERO,
        }
    }

    /// The outcome of what was asked for. If the kernel did not report, the report contains what was asked for.
    #[must_use]
    pub(crate) fn for_asked(mut self, asked: Asked) -> Self {
        let run = &mut self.report.run;
        for (is, asked) in [(&mut run.firmware, &asked.firmware), (&mut run.path, &asked.path)] {
            if is.is_empty() {
                *is = asked.clone().unwrap_or_default();
            }
        }
        Self { asked: Some(asked), ..self }
    }

    /// The kernel's report.
    ///
    /// # Errors
    ///
    /// The run ended without one.
    pub(crate) fn into_report(self) -> Result<Report, Stop> {
        match self.kind {
            Kind::Pass | Kind::Fail | Kind::Error => Ok(self.report),
            kind @ (Kind::Timeout | Kind::Crash | Kind::Usage | Kind::Unable) => {
                Err(Stop { kind, message: self.report.error.unwrap_or_default() })
            }
        }
    }

    /// The report with more fields: `outcome`, the kind's word, `exit_status`, `asked`, and `expectation`, if there was
    /// one. One line, which begins with the schema as the kernel's own does.
    ///
    /// # Errors
    ///
    /// As `serde_json::to_string`; the types give it no reason.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Extended<'a> {
            #[serde(flatten)]
            report: &'a Report,
            outcome: &'static str,
            exit_status: u8,
            #[serde(skip_serializing_if = "Option::is_none")]
            expectation: Option<&'a Compared>,
            #[serde(skip_serializing_if = "Option::is_none")]
            asked: Option<&'a Asked>,
        }
        let exit_status = self.kind.exit_status();
        let (report, outcome) = (&self.report, self.kind.word());
        let (expectation, asked) = (self.compared.as_ref(), self.asked.as_ref());
        serde_json::to_string(&Extended { report, outcome, exit_status, expectation, asked })
    }
}

/// Why a command stops before there is a run to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Stop {
    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into() }
    }

    /// Something that the run needs is not there.
    pub(crate) fn unable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unable, message: message.into() }
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::unable(format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_promised_exit_status() {
        let statuses = [
            (Kind::Pass, 0),
            (Kind::Fail, 1),
            (Kind::Error, 1),
            (Kind::Timeout, 1),
            (Kind::Crash, 1),
            (Kind::Usage, 2),
            (Kind::Unable, 125),
        ];
        for (kind, status) in statuses {
            assert_eq!(kind.exit_status(), status, "{}", kind.word());
        }
    }

    #[test]
    fn json_of_a_stop_says_which_kind_it_was() {
        let line = Outcome::without_report(Kind::Unable, "no QEMU".into()).to_json().unwrap();
        assert!(line.starts_with(r#"{"schema":"iogroups/1","#), "{line}");
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["result"], "error");
        assert_eq!(json["outcome"], "unable");
        assert_eq!(json["exit_status"], 125);
        assert_eq!(json["error"], "no QEMU");
    }
}
