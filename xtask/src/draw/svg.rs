//! A picture as one SVG file that needs nothing else: a row for each device, and a coloured box around each group.
//!
//! Colours follow the reader's light or dark scheme. Rows have tooltips with what does not fit.

use std::fmt::Write as _;

use svg::Document;
use svg::node::element::{Group as Element, Line, Rectangle, Style, Text, Title};

use super::picture::{Picture, Row, RowKind};

/// Height of a row, in pixels, as all lengths here.
const ROW: usize = 26;
/// Height of the second line of a row, which says why the device is in its group.
const REASON: usize = 15;
/// Offset of a row from the one that it is below of.
const INDENT: usize = 22;
/// Space around the picture.
const MARGIN: usize = 14;
/// Height of the title.
const TITLE: usize = 34;
/// Width of a character of the small font, which is the wider one for a column of text.
const CHARACTER: usize = 7;
/// Space between columns.
const GAP: usize = 18;
/// Width of the label of a group.
const LABEL: usize = 116;
/// Longest reason that is shown as a whole; the tooltip has all of it.
const LONGEST_REASON: usize = 60;
/// The reason of a device that is alone or the first in its group.
const ALONE: &str = "own group";
/// Neighbouring hues are this far apart on the colour circle, in degrees, so that groups with close numbers differ.
const HUE_STEP: u32 = 137;

/// The file.
pub(crate) fn svg(picture: &Picture) -> String {
    drawn(picture, Some(style("", picture.groups.keys().copied())))
}

/// The picture as a part of a page that has the [`style`], as large as it is.
pub(crate) fn embedded(picture: &Picture) -> String {
    drawn(picture, None)
}

/// The picture; as a file, with its style.
fn drawn(picture: &Picture, style: Option<String>) -> String {
    let columns = Columns::of(picture);
    let tops = tops(picture);
    let end = tops.last().copied().unwrap_or(TITLE);
    let height = end + footer(picture).len() * ROW + MARGIN;
    let mut document = Document::new()
        .set("viewBox", (0, 0, columns.width, height))
        .set("width", columns.width)
        .set("height", height)
        .set("role", "img")
        .set("aria-label", picture.title.as_str())
        .add(Title::new(picture.title.as_str()));
    if let Some(style) = style {
        document = document.set("style", "max-width: 100%; height: auto").add(Style::new(style));
    }
    document = document
        .add(Rectangle::new().set("class", "page").set("width", "100%").set("height", "100%"))
        .add(text(MARGIN, TITLE - 12, "title", &picture.title));
    for (group, first, count) in picture.bands() {
        document = document.add(band(picture, &columns, &tops, (group, first, count)));
    }
    for (at, row) in picture.rows.iter().enumerate() {
        document = document.add(connectors(picture, &tops, at, row)).add(device(&columns, tops[at], row));
    }
    for (at, line) in footer(picture).iter().enumerate() {
        document = document.add(text(MARGIN, baseline(end + at * ROW), "small", line));
    }
    document.to_string() + "\n"
}

/// Where the columns begin.
struct Columns {
    detail: usize,
    label: usize,
    width: usize,
}

impl Columns {
    fn of(picture: &Picture) -> Self {
        let end = |row: &Row| left(row) + row.name.chars().count() * (CHARACTER + 1);
        let detail = picture.rows.iter().map(end).max().unwrap_or(0) + GAP;
        let longest = |row: &Row| row.detail.chars().count().max(reason(row).chars().count());
        let label = detail + picture.rows.iter().map(longest).max().unwrap_or(0) * CHARACTER + GAP;
        Self { detail, label, width: label + LABEL + MARGIN }
    }
}

/// Where each row begins, and where the last one ends.
fn tops(picture: &Picture) -> Vec<usize> {
    let mut tops = vec![TITLE];
    for row in &picture.rows {
        let begins = tops[tops.len() - 1];
        tops.push(begins + ROW + if reason(row).is_empty() { 0 } else { REASON });
    }
    tops
}

/// The baseline of the first line of a row.
fn baseline(top: usize) -> usize {
    top + ROW / 2 + 4
}

/// Why a device is in its group or in none, where that says more than the box around it.
fn reason(row: &Row) -> String {
    if row.why == ALONE { String::new() } else { shortened(&row.why) }
}

/// Where the name in a row begins.
fn left(row: &Row) -> usize {
    MARGIN + row.depth * INDENT
}

/// The box around neighbouring rows of a group, with its number and type.
fn band(picture: &Picture, columns: &Columns, tops: &[usize], band: (u32, usize, usize)) -> Element {
    let (group, first, count) = band;
    let rows = &picture.rows[first..first + count];
    let x = rows.iter().map(left).min().unwrap_or(MARGIN) - 8;
    let is_first = picture.bands().iter().find(|band| band.0 == group).is_some_and(|band| band.1 == first);
    let kind = picture.groups.get(&group).map_or("", String::as_str);
    let words = if is_first { format!("group {group} · {kind}") } else { format!("group {group}, too") };
    let frame = Rectangle::new()
        .set("class", format!("band g{group}"))
        .set("x", x)
        .set("y", tops[first] + 2)
        .set("width", columns.width - MARGIN - x)
        .set("height", tops[first + count] - tops[first] - 4)
        .set("rx", 6);
    Element::new().add(frame).add(text(columns.label, baseline(tops[first]), "label", &words))
}

/// The lines from a row to the one that it is below of.
fn connectors(picture: &Picture, tops: &[usize], at: usize, row: &Row) -> Element {
    let mut lines = Element::new();
    if let Some(parent) = row.parent {
        let x = left(&picture.rows[parent]) + 6;
        let y = tops[at] + ROW / 2;
        let line = |x1: usize, y1: usize, x2: usize, y2: usize| {
            Line::new().set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2)
        };
        lines = lines.add(line(x, tops[parent] + ROW - 4, x, y)).add(line(x, y, left(row) - 2, y));
    }
    lines
}

/// The texts of a row.
fn device(columns: &Columns, top: usize, row: &Row) -> Element {
    let class = match row.kind {
        RowKind::Bus => "bus",
        RowKind::Iommu => "iommu",
        RowKind::Grouped(_) => "grouped",
        RowKind::Ungrouped { lost: true } => "lost",
        RowKind::Ungrouped { lost: false } => "without",
    };
    let y = baseline(top);
    let tooltip = [&row.name, &row.detail, &row.why].map(String::as_str).join("\n");
    Element::new()
        .set("class", class)
        .add(Title::new(tooltip.trim()))
        .add(text(left(row), y, "name", &row.name))
        .add(text(columns.detail, y, "small", &row.detail))
        .add(text(columns.detail, y + REASON, "small", &reason(row)))
}

/// What stands below the rows.
fn footer(picture: &Picture) -> Vec<String> {
    let others = match picture.left_out {
        0 => None,
        1 => Some("1 further platform device, which no IOMMU translates".to_owned()),
        count => Some(format!("{count} further platform devices, which no IOMMU translates")),
    };
    others.into_iter().collect()
}

fn shortened(why: &str) -> String {
    match why.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why.to_owned(),
    }
}

fn text(x: usize, y: usize, class: &str, words: &str) -> Text {
    Text::new(words).set("x", x).set("y", y).set("class", class)
}

/// What is the same for each group, in a light scheme: selectors and their declarations.
const LIGHT: [(&str, &str); 12] = [
    ("text", "font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1f2328"),
    (".page", "fill:#fff"),
    (".title", "font-size:14px;font-weight:bold"),
    (".name", "font-size:13px"),
    (".small", "font-size:11.5px"),
    (".label", "font-size:11.5px;font-weight:bold"),
    ("line", "stroke:#8c959f"),
    (".band", "stroke-width:1.5"),
    (".bus .name", "font-weight:bold"),
    (".iommu text", "font-weight:bold;fill:#0550ae"),
    (".without text", "fill:#59636e"),
    // A device that should have a group.
    (".lost text", "fill:#b3261e;font-weight:bold"),
];

/// What a dark scheme changes.
const DARK: [(&str, &str); 6] = [
    ("text", "fill:#e6edf3"),
    (".page", "fill:#0d1117"),
    ("line", "stroke:#656c76"),
    (".iommu text", "fill:#79c0ff"),
    (".without text", "fill:#9198a1"),
    (".lost text", "fill:#ff8182"),
];

/// The style sheet, with a hue for each group. Each selector begins with `scope`, so that a page can have more than
/// pictures.
pub(crate) fn style(scope: &str, groups: impl Iterator<Item = u32>) -> String {
    let rule = |(selector, declarations): &(&str, &str)| format!("{scope}{selector}{{{declarations}}}");
    let mut light: String = LIGHT.iter().map(rule).collect();
    let mut dark: String = DARK.iter().map(rule).collect();
    for group in groups {
        let hue = group.wrapping_mul(HUE_STEP) % 360;
        // Writing to a string does not fail.
        let _ = write!(light, "{scope}.g{group}{{fill:hsl({hue},75%,93%);stroke:hsl({hue},45%,55%)}}");
        let _ = write!(dark, "{scope}.g{group}{{fill:hsl({hue},45%,17%);stroke:hsl({hue},40%,45%)}}");
    }
    format!("{light}@media(prefers-color-scheme:dark){{{dark}}}")
}
