//! Pictures in the languages of Graphviz and Mermaid: groups are boxes around their devices.

use std::fmt::Write as _;

use super::picture::{Picture, Row, RowKind};

/// For Graphviz.
pub(crate) fn dot(picture: &Picture) -> String {
    let mut text = format!("digraph iogroups {{\n  label={};\n  labelloc=t;\n", quoted(&picture.title));
    text += "  rankdir=LR;\n  node [shape=box, style=rounded, fontname=monospace];\n  edge [dir=none];\n";
    for (group, kind) in &picture.groups {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  subgraph cluster_group_{group} {{");
        let _ = writeln!(text, "    label={};", quoted(&format!("group {group} ({kind})")));
        for (at, row) in rows_of(picture, |kind| *kind == RowKind::Grouped(*group)) {
            let _ = writeln!(text, "    n{at} [label={}];", quoted(&label(row, "\n")));
        }
        text += "  }\n";
    }
    for (at, row) in rows_of(picture, |kind| !matches!(kind, RowKind::Grouped(_))) {
        let shape = match row.kind {
            RowKind::Bus => ", shape=plaintext",
            RowKind::Iommu => ", shape=doubleoctagon",
            RowKind::Ungrouped { lost: true } => ", style=\"rounded,dashed\", color=red",
            RowKind::Ungrouped { lost: false } | RowKind::Grouped(_) => ", style=\"rounded,dashed\"",
        };
        let _ = writeln!(text, "  n{at} [label={}{shape}];", quoted(&label(row, "\n")));
    }
    for (above, below) in edges(picture) {
        let _ = writeln!(text, "  n{above} -> n{below};");
    }
    text + "}\n"
}

/// For Mermaid, which GitHub and GitLab render in Markdown.
pub(crate) fn mermaid(picture: &Picture) -> String {
    let mut text = format!("---\ntitle: {}\n---\nflowchart LR\n", quoted(&picture.title));
    for (group, kind) in &picture.groups {
        let _ = writeln!(text, "  subgraph g{group}[{}]", entities(&format!("group {group} ({kind})")));
        for (at, row) in rows_of(picture, |kind| *kind == RowKind::Grouped(*group)) {
            let _ = writeln!(text, "    n{at}[{}]", entities(&label(row, "<br/>")));
        }
        text += "  end\n";
    }
    for (at, row) in rows_of(picture, |kind| !matches!(kind, RowKind::Grouped(_))) {
        let label = entities(&label(row, "<br/>"));
        let _ = match row.kind {
            RowKind::Bus => writeln!(text, "  n{at}([{label}])"),
            RowKind::Iommu => writeln!(text, "  n{at}{{{{{label}}}}}"),
            RowKind::Ungrouped { lost: true } => writeln!(text, "  n{at}[{label}]:::lost"),
            RowKind::Ungrouped { lost: false } | RowKind::Grouped(_) => {
                writeln!(text, "  n{at}[{label}]:::without")
            }
        };
    }
    for (above, below) in edges(picture) {
        let _ = writeln!(text, "  n{above} --- n{below}");
    }
    text += "  classDef without stroke-dasharray:4\n";
    text + "  classDef lost stroke:#c00,stroke-width:2px,stroke-dasharray:4\n"
}

fn rows_of<'a>(
    picture: &'a Picture,
    wanted: impl Fn(&RowKind) -> bool + 'a,
) -> impl Iterator<Item = (usize, &'a Row)> {
    picture.rows.iter().enumerate().filter(move |(_, row)| wanted(&row.kind))
}

fn edges(picture: &Picture) -> impl Iterator<Item = (usize, usize)> {
    picture.rows.iter().enumerate().filter_map(|(at, row)| Some((row.parent?, at)))
}

/// A row's lines.
fn label(row: &Row, line_break: &str) -> String {
    let lines = [&row.name, &row.detail, &row.why].into_iter().filter(|line| !line.is_empty());
    lines.map(String::as_str).collect::<Vec<_>>().join(line_break)
}

/// A string of Graphviz, and of YAML.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// A string of Mermaid: a quote is an entity there.
fn entities(text: &str) -> String {
    format!("\"{}\"", text.replace('#', "#35;").replace('"', "#quot;"))
}
