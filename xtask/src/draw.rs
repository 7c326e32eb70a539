//! `cargo xtask draw`: a picture of a report, with groups as boxes.

mod picture;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use report::Report;

use crate::cli::{DrawArgs, Format};
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::report_source::{self, Defaults};

use picture::Picture;

/// Runs the command. The verdict of the run does not decide its exit status: it is drawn.
///
/// # Errors
///
/// There is no report, or the file cannot be written.
pub(crate) fn command(options: &DrawArgs) -> Result<Kind, Stop> {
    let defaults = Defaults { common: &options.common, topology: &options.topology };
    let text = of(options.report.as_deref().unwrap_or_default(), &defaults, options.format)?;
    match options.out.as_deref() {
        None => output::show(&text),
        Some(file) if file == Path::new(output::STANDARD_OUTPUT) => output::show(&text),
        Some(file) => fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?,
    }
    Ok(Kind::Pass)
}

/// The picture of a report as a part of a page with the style [`embedded_style`]; none if the report has no devices.
pub(crate) fn embedded(name: &str, report: &Report) -> Option<String> {
    let picture = Picture::of(name, report);
    (!picture.rows.is_empty()).then(|| svg::embedded(&picture))
}

/// The style of embedded pictures with these groups, for elements below those that `scope` selects.
pub(crate) fn embedded_style(scope: &str, groups: impl Iterator<Item = u32>) -> String {
    svg::style(scope, groups)
}

/// The picture of a report that is named as [`report_source::read`] has it.
///
/// # Errors
///
/// There is no report.
pub(crate) fn of(asked: &str, defaults: &Defaults, format: Format) -> Result<String, Stop> {
    let report = report_source::read(asked, defaults)?;
    let name = if asked.is_empty() { defaults.topology } else { asked };
    let picture = Picture::of(name, &report);
    Ok(match format {
        Format::Svg => svg::svg(&picture),
        Format::Dot => text::dot(&picture),
        Format::Mermaid => text::mermaid(&picture),
    })
}
