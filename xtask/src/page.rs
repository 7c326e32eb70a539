//! `cargo xtask report`: one HTML page of a run of the suite, which needs no network and no other file.
//!
//! The page is written down in `xtask/templates`: the template, its style and its script. Everything that comes from a run is
//! escaped by the template; only pictures are put in as they are, and these escape their own texts.

mod contents;
mod log;
mod summary;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use askama::Template as _;

use crate::cli::ReportArgs;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::results::{self, Results};

use contents::Page;

/// Runs the command. The verdict of the run does not decide its exit status: it is shown.
///
/// # Errors
///
/// There are no results, or the page cannot be written.
pub(crate) fn command(options: &ReportArgs) -> Result<Kind, Stop> {
    let directory = options.directory.clone().unwrap_or_else(results::usual_directory);
    let results = read(&directory)?;
    let page = Page::of(&results, &directory, options.logs);
    let text = page.render().context("the page cannot be made")?;
    let out = options.out.clone().unwrap_or_else(|| output::workspace().join("target/report.html"));
    if out == Path::new(output::STANDARD_OUTPUT) {
        output::show(&text);
    } else {
        fs::write(&out, &text).with_context(|| format!("cannot write {}", out.display()))?;
        let sizes = page.sizes();
        eprintln!("{}: {} kB ({sizes})", out.display(), text.len().div_ceil(1000));
    }
    Ok(Kind::Pass)
}

fn read(directory: &Path) -> Result<Results, Stop> {
    let file = directory.join(results::FILE);
    if !file.is_file() {
        let what = format!("{} is not there; `cargo xtask test` writes it", file.display());
        return Err(Stop::unable(what));
    }
    Ok(Results::read(&file)?)
}
