//! The judgement for people.

use std::fmt::Write as _;

use super::judgement::Judgement;
use crate::linux;
use crate::outcome::Kind;

/// Most groups that are shown.
const GROUPS: usize = 32;

pub(super) fn text(judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    let writer = judgement.writer.as_deref().unwrap_or("a listing of groups");
    let path = judgement.path.as_ref().map(|path| format!(", path {path}")).unwrap_or_default();
    line(format!("{}: {writer}{path}", judgement.log));
    for members in judgement.groups.iter().take(GROUPS) {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        line(format!("  group: {}", members.join(" ")));
    }
    if judgement.groups.len() > GROUPS {
        line(format!("  and {} more groups", judgement.groups.len() - GROUPS));
    }
    if judgement.groups.is_empty() {
        line("  no groups".into());
    }
    for (device, why) in &judgement.without_group {
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        line(format!("  without a group: {device}{why}"));
    }
    let order = &judgement.order;
    for (devices, when) in [
        (&order.before_bind, "before a driver was bound"),
        (&order.at_bind, "while a driver was being bound"),
        (&order.after_bind, "after a driver was bound"),
    ] {
        if !devices.is_empty() {
            line(format!("  grouped {when}: {} devices", devices.len()));
        }
    }
    if !order.late.is_empty() {
        line(format!("  with Linux's warning about a late probe: {} devices", order.late.len()));
    }
    for (path, lines) in &judgement.differences {
        line(format!("  unlike {path}:"));
        lines.iter().for_each(|difference| line(format!("    {difference}")));
    }
    judgement.remarks.iter().for_each(|remark| line(format!("  {remark}")));
    for (id, how) in &judgement.violates {
        let sentence = linux::invariant_sentence(id).map(|words| format!(" ({words})")).unwrap_or_default();
        line(format!("violates {id}{sentence}: {how}"));
    }
    let machine = judgement.machine.as_ref().map(|machine| format!(" on {machine}")).unwrap_or_default();
    let like = if judgement.like.is_empty() { "no path".to_owned() } else { judgement.like.join(" or ") };
    line(format!("looks like{machine}: {like} ({})", judgement.because));
    let verdict = if judgement.kind() == Kind::Pass { "PASS" } else { "FAIL" };
    line(format!("{verdict}: expected like {}", judgement.expected));
    text
}
