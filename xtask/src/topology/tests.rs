use super::*;
use crate::boot::Boot;

#[test]
fn every_topology_of_ours_is_well_formed() {
    let all: Vec<Topology> = Topology::all(&directory()).unwrap().into_iter().map(Result::unwrap).collect();
    assert!(all.len() > 25, "{}", all.len());
    for topology in &all {
        assert!(!topology.probes.is_empty());
        Boot::of_topology(topology, "qemu").unwrap_or_else(|error| panic!("{}: {error:#}", topology.name));
    }
}

#[test]
fn a_misspelt_field_is_an_error_that_names_it() {
    let error = Topology::parse("x", "probes = \"\"\nmachin = \"a=b\"\n").unwrap_err();
    assert!(error.to_string().contains("machin"), "{error}");
}

#[test]
fn shared_edits_are_made_before_those_of_the_file() {
    let text = "probes = \"\"\ntrees = [\"trees/pxb-host-bridge.toml\"]\n\
                [[tree]]\nedit = \"delete-node\"\nnode = \"/last\"\n";
    let tree = Topology::parse("x", text).unwrap().edits().unwrap();
    assert!(tree.len() > 1, "{tree:?}");
    assert!(matches!(tree.last(), Some(Edit::DeleteNode { node }) if node == "/last"), "{tree:?}");
    let other = Topology::parse("x", &text.replace("pxb-host", "no-host")).unwrap();
    let error = other.edits().unwrap_err();
    assert!(error.to_string().contains("no-host-bridge.toml"), "{error}");
}

#[test]
fn files_are_relative_to_the_one_that_names_them() {
    let place = tempfile::tempdir().unwrap();
    let text = "probes = \"\"\ntables = [\"t/own.bin\", \"/abs.bin\"]\nrace = { scenario = \"s.toml\", rounds = 1 }\n";
    fs::write(place.path().join("x.toml"), text).unwrap();
    let topology = Topology::find(place.path().join("x.toml").to_str().unwrap()).unwrap();
    assert_eq!(topology.tables, [place.path().join("t/own.bin"), "/abs.bin".into()]);
    assert_eq!(topology.race.as_ref().unwrap().scenario, place.path().join("s.toml"));
    let error = Boot::of_topology(&topology, "qemu").unwrap_err();
    assert!(format!("{error:#}").contains("s.toml"), "{error:#}");
}

#[test]
fn firmware_has_the_words_of_the_command_line() {
    let firmware = |word| Topology::parse("x", &format!("probes = \"\"\nfirmware = \"{word}\"\n"));
    assert_eq!(firmware("uefi-dt").unwrap().firmware, Firmware::UefiDt);
    assert_eq!(firmware("uefi-acpi").unwrap().firmware, Firmware::UefiAcpi);
    assert!(firmware("bios").is_err());
}

#[test]
fn a_malformed_file_costs_itself_only_and_says_file_and_line() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("a.toml"), "probes = \"\"\n").unwrap();
    fs::write(place.path().join("b.toml"), "probes = \"\"\nargs = [\n").unwrap();
    fs::write(place.path().join("c.toml"), "probes = \"\"\n").unwrap();
    let all = Topology::all(place.path()).unwrap();
    assert!(all[0].is_ok() && all[2].is_ok());
    let malformed = all[1].as_ref().unwrap_err();
    assert_eq!(malformed.name, "b");
    assert!(malformed.why.contains("b.toml") && malformed.why.contains("line "), "{}", malformed.why);
}

#[test]
fn words_that_have_a_field_of_their_own_are_refused_in_append() {
    assert!(Topology::parse("x", "probes = \"\"\nappend = \"a console=pl011\"\n").is_err());
}

#[test]
fn a_disk_needs_firmware_that_reads_it_on_every_route() {
    let parse = |text: &str| Topology::parse("x", &format!("probes = \"\"\ndisk = true\n{text}\n"));
    assert!(parse("firmware = \"uefi-acpi\"\nalso = [\"uefi-dt\"]").unwrap().disk);
    assert!(parse("").is_err());
    assert!(parse("firmware = \"uefi-acpi\"\nalso = [\"acpi\"]").is_err());
}

#[test]
fn a_bound_on_instructions_needs_the_clock_that_counts_them() {
    let text = "probes = \"\"\nargs = \"-icount shift=0,sleep=off\"\n[expect]\ninstructions_below = 5\n";
    assert!(Topology::parse("x", text).is_ok());
    assert!(Topology::parse("x", &text.replace("shift=0", "shift=1")).is_err());
}

#[test]
fn arguments_are_words_as_for_a_shell() {
    let text = "probes = \"\"\nargs = '-device \"a b\",c={} -x'\n";
    assert_eq!(Topology::parse("x", text).unwrap().args, ["-device", "a b,c={}", "-x"]);
    let error = Topology::parse("x", &text.replace("b\"", "b")).unwrap_err();
    assert!(error.to_string().contains("quote"), "{error}");
}

#[test]
fn repeated_arguments_fill_slot_after_slot() {
    let text = "probes = \"\"\nargs = \"-device a\"\n[repeat]\ncount = 9\nfirst_slot = 0xf\n\
                args = \"-device b,addr={slot:x}.{fn}\"\n";
    let devices = Topology::parse("x", text).unwrap().machine("qemu").devices;
    assert_eq!(devices[2..4], ["-device", "b,addr=f.0"]);
    assert_eq!(devices[16..20], ["-device", "b,addr=f.7", "-device", "b,addr=10.0"]);
}

#[test]
fn more_functions_than_a_bus_has_are_refused() {
    let text = "probes = \"\"\n[repeat]\ncount = 249\nfirst_slot = 1\nargs = \"\"\n";
    assert!(Topology::parse("x", text).is_err());
}

#[test]
fn an_unknown_name_is_an_error_that_says_where_we_looked() {
    let error = Topology::find("no-such-machine").unwrap_err();
    assert!(error.to_string().contains("topologies"), "{error}");
}
