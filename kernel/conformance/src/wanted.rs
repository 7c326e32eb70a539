//! What the specification wants as an answer, and whether an answer is that.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::device::{DeviceAnswer, POISON};
use crate::message::TAIL_SIZE;
use crate::status::Status;

/// The answers that conform.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// One of these statuses.
    Status(&'static [Status]),
    /// A status other than OK, or nothing written and used length 0.
    Rejected,
    /// Any status that the specification defines, or nothing written and used length 0.
    Answered,
    /// Nothing written, and used length 0.
    Unwritten,
}

pub(crate) const OK: Wanted = Wanted::Status(&[Status::OK]);
pub(crate) const INVAL: Wanted = Wanted::Status(&[Status::INVAL]);
pub(crate) const RANGE: Wanted = Wanted::Status(&[Status::RANGE]);
pub(crate) const NOENT: Wanted = Wanted::Status(&[Status::NOENT]);

impl Wanted {
    /// In words, for a report.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Status(statuses) => {
                let names: Vec<String> = statuses.iter().map(ToString::to_string).collect();
                names.join(" or ")
            }
            Self::Rejected => "rejected".into(),
            Self::Answered => "a status".into(),
            Self::Unwritten => "used length 0 and nothing written".into(),
        }
    }

    /// Whether `answer`, whose tail follows `properties` bytes, conforms.
    pub(crate) fn is_met(self, answer: &DeviceAnswer, properties: usize) -> bool {
        let status = status(answer, properties);
        match self {
            Self::Status(statuses) => status.is_some_and(|status| statuses.contains(&status)),
            Self::Rejected => status
                .map_or_else(|| is_unwritten(answer), |status| status != Status::OK && status.is_defined()),
            Self::Answered => status.map_or_else(|| is_unwritten(answer), Status::is_defined),
            Self::Unwritten => is_unwritten(answer),
        }
    }
}

/// The status in the tail, if the used length covers the tail.
pub(crate) fn status(answer: &DeviceAnswer, properties: usize) -> Option<Status> {
    let covered = answer.used as usize >= properties + TAIL_SIZE;
    answer.bytes.get(properties).filter(|_| covered).map(|byte| Status(*byte))
}

/// Whether the device returned the buffers as they were.
pub(crate) fn is_unwritten(answer: &DeviceAnswer) -> bool {
    answer.used == 0 && answer.bytes.iter().all(|byte| *byte == POISON)
}

/// An answer in words, without numbers of the machine.
pub(crate) fn answer_words(answer: &DeviceAnswer, properties: usize) -> String {
    let status = match status(answer, properties) {
        Some(status) => status.to_string(),
        // A shorter answer may still be a tail, in the wrong place.
        None => match answer.bytes.first() {
            Some(first) if answer.used as usize == TAIL_SIZE => {
                format!("{} in a tail at offset 0", Status(*first))
            }
            _ if is_unwritten(answer) => return "used length 0 and nothing written".into(),
            _ => "no tail".into(),
        },
    };
    if answer.used as usize == properties + TAIL_SIZE {
        status
    } else {
        format!("{status}, used length {}", answer.used)
    }
}
