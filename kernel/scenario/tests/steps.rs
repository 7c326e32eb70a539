//! Steps are unambiguous, and parse back to the same text.

use std::rc::Rc;

use probe::Path;
use scenario::{Device, Driver, Grain, Plan, Scenario, Step, World};

fn step(text: &str) -> Step {
    text.parse().unwrap()
}

/// A device that a driver may bind while it is still being added, as Linux did before 7.2.
fn arriving() -> (Rc<Plan>, World) {
    let device = Device { name: "nic".into(), driver: Some("net".into()), ..Device::default() };
    let driver = Driver { name: "net".into(), ..Driver::default() };
    let plan = Plan::new(Scenario {
        grain: Grain::Piece,
        stepwise: true,
        steps: vec![step("add nic"), step("register net")],
        devices: vec![device],
        drivers: vec![driver],
        ..Scenario::default()
    });
    let plan = Rc::new(plan.unwrap());
    let mut world = World::new(&plan, Path::Regressed);
    world.begin(&step("add nic")).unwrap();
    world.begin(&step("register net")).unwrap();
    (plan, world)
}

#[test]
fn a_step_selects_one_of_several_activities_of_a_device() {
    let (_plan, world) = arriving();
    let choices = world.choices(&[true, true], 2);
    let steps: Vec<Step> = choices.iter().map(|choice| world.as_step(*choice).unwrap()).collect();
    assert_eq!(steps, [step("go nic"), step("go nic #2")]);
    for (choice, step) in choices.iter().zip(&steps) {
        assert_eq!(world.meant(step), Some(*choice), "{step}");
    }
    assert_eq!(world.meant(&step("go nic #3")), None);
}

#[test]
fn the_second_activity_continues_and_the_first_one_does_not() {
    let (_plan, mut world) = arriving();
    let before = world.describe(world.meant(&step("go nic")).unwrap());
    world.begin(&step("go nic #2")).unwrap();
    assert_eq!(world.describe(world.meant(&step("go nic")).unwrap()), before);
    assert_eq!(world.describe(world.meant(&step("go nic #2")).unwrap()), "bind: ask firmware");
}

#[test]
fn a_removed_device_keeps_its_name_in_events() {
    let (_plan, mut world) = arriving();
    world.rest();
    world.take_events();
    world.begin(&step("remove nic")).unwrap();
    assert_eq!(world.take_events(), ["unbound nic", "removed nic"]);
}

#[test]
fn steps_parse_back_to_their_text() {
    for text in ["add nic", "go nic", "go nic #2", "register net", "rest", "expire"] {
        assert_eq!(step(text).to_string(), text);
    }
    for text in ["go nic #0", "go nic #x", "go", "rest nic", "plug nic", ""] {
        assert!(text.parse::<Step>().is_err(), "{text}");
    }
}
