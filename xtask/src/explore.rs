//! `cargo xtask explore`: every order of a scenario's steps, with a file for each invariant that one of them breaks.

use probe::Path;
use scenario::Limits;

use crate::cli::ExploreArgs;
use crate::outcome::{Kind, Stop};
use crate::scenarios::Named;

mod counterexample;
mod differences;
mod figures;
mod files;
mod one;
mod progress;
mod row;

/// Runs the command; the kind is a failure if a result is not as expected.
///
/// # Errors
///
/// There is no such scenario, one is malformed, or a file cannot be written.
pub(crate) fn command(options: &ExploreArgs) -> Result<Kind, Stop> {
    let limits = Limits { states: options.limit };
    if options.all {
        return Ok(figures::command(limits, options.write)?);
    }
    let Some(name) = &options.scenario else {
        return Err(Stop::usage(
            "give a scenario, a file, or --all; `cargo xtask replay` lists the scenarios",
        ));
    };
    let named = Named::find(name)?;
    let paths: Vec<Path> = options.path.map_or(Path::ALL.into(), |path| vec![path]);
    let kind = one::explore(&named, &paths, limits, options.out.as_deref())?;
    Ok(kind)
}

#[cfg(test)]
mod tests;
