//! Counterexamples as files.

use std::rc::Rc;

use anyhow::{Result, ensure};
use probe::Path;
use scenario::{Broken, Expect, Plan, World};

use crate::replay::Replay;
use crate::scenarios::{self, Named};

/// A counterexample as a file that can be replayed. It has been replayed, and violates the invariant.
///
/// # Errors
///
/// It does not, or the file does not mean what it was made from: a defect of the explorer.
pub(super) fn counterexample(named: &Named, path: Path, broken: &Broken) -> Result<String> {
    let mut shortest = broken.shortest.clone();
    shortest.about = format!("{path} violates {}: {}", broken.id, broken.by);
    shortest.source =
        format!("found by trying every order of {}, which comes from: {}", named.name, named.scenario.source);
    let plan = Rc::new(Plan::new(shortest.clone())?);
    let replay = Replay::run(&plan, path);
    ensure!(
        replay.broken().contains(broken.id),
        "the shortest order of {} on {path} does not break {} again",
        named.name,
        broken.id
    );
    let breaks = replay.breaks.iter().map(|broken| broken.id.to_owned()).collect();
    let expect = Expect { breaks: Some(breaks), ..Expect::default() };
    shortest.expect.insert(path.word().into(), expect);
    let text = scenarios::to_text(&shortest, &remarks(&plan, path))?;
    ensure!(scenarios::parse(&text)? == shortest, "{} is read back as another scenario", named.name);
    Ok(text)
}

/// What each step does on this path.
fn remarks(plan: &Rc<Plan>, path: Path) -> Vec<String> {
    let mut world = World::new(plan, path);
    let remark = |step| {
        let remark = scenarios::piece(&world, step).to_owned();
        // A step that is not possible is an error of the replay.
        let _ = world.take(step);
        remark
    };
    plan.scenario().steps.iter().map(remark).collect()
}
