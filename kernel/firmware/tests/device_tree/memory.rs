//! RAM, reservations, `/chosen`, CPUs and PSCI.

use addr::{CpuAffinity, PhysAddr, Range};
use firmware::device_tree::describe;
use firmware::{Console, PsciConduit};

use crate::tree::{Machine, Node, blob, blob_with, machine, node, ram, read, root};

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

fn memory(name: &str, cells: &[u32]) -> Node {
    node(name).text("device_type", "memory").cells("reg", cells)
}

fn error(children: impl IntoIterator<Item = Node>) -> String {
    describe(&blob(&root(children))).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn without_a_memory_node_there_is_an_error_that_names_it() {
    let error = error([node("cpus")]);
    assert!(error.contains("no /memory node") && error.contains("device_type = \"memory\""), "{error}");
}

#[test]
fn memory_that_cannot_be_used_is_named_with_node_and_property() {
    for (node, parts) in [
        (memory("memory@0", &[0, 0, 0]), ["/memory@0:reg", "12 bytes"]),
        (memory("memory@0", &[0, 0, 0, 0]), ["/memory@0:reg", "length 0"]),
        (memory("memory@0", &[u32::MAX, u32::MAX, 0, 2]), ["/memory@0:reg", "64-bit"]),
        (memory("memory@0", &[0, 0, 0, 1]).text("status", "disabled"), ["/memory@0", "status"]),
        (node("memory@0").text("device_type", "memory"), ["/memory@0", "no usable reg"]),
    ] {
        let error = error([node]);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn one_bad_memory_node_costs_only_itself() {
    let machine = machine([memory("memory@1", &[1])]);
    assert_eq!(machine.description.memory, [bytes(0x4000_0000, 128 << 20)]);
    assert_eq!(machine.findings(), [("memory-malformed", "/memory@1:reg")]);
}

#[test]
fn memory_is_sorted_and_joined() {
    let nodes = [
        memory("memory@3", &[0, 0x3000, 0, 0x1000, 0, 0x1000, 0, 0x1000]),
        memory("memory@2", &[0, 0x2000, 0, 0x800, 0, 0x3800, 0, 0x1800]),
        memory("memory@f", &[u32::MAX, 0xffff_f000, 0, 0x1000]),
    ];
    let machine = read(&blob(&root(nodes)));
    assert_eq!(
        machine.description.memory,
        [bytes(0x1000, 0x1800), bytes(0x3000, 0x2000), bytes(0xffff_ffff_ffff_f000, 0x1000)]
    );
}

#[test]
fn memory_has_the_cells_of_the_root_and_linuxs_where_it_is_silent() {
    let one = node("").cells("#address-cells", &[1]).cells("#size-cells", &[1]);
    let machine = read(&blob(&one.child(memory("memory", &[0x8000_0000, 0x1000]))));
    assert_eq!(machine.description.memory, [bytes(0x8000_0000, 0x1000)]);
    let silent = read(&blob(&node("").child(memory("memory", &[0x8000_0000, 0x1000]))));
    assert_eq!(silent.description.memory, [bytes(0x8000_0000, 0x1000)]);
    assert!(silent.findings().contains(&("property-malformed", "/")));
}

#[test]
fn memory_below_the_root_and_usable_memory_follow_linux() {
    let below = node("soc").child(memory("memory@0", &[0, 0, 0, 0x1000]));
    assert_eq!(machine([below]).description.memory.len(), 1);
    let usable =
        memory("memory@0", &[0, 0, 0, 0x10000]).cells("linux,usable-memory", &[0, 0x4000, 0, 0x1000]);
    assert_eq!(read(&blob(&root([usable]))).description.memory, [bytes(0x4000, 0x1000)]);
}

#[test]
fn reservations_come_from_the_block_and_from_reserved_memory() {
    let fixed = |name: &str, cells: &[u32]| node(name).cells("reg", cells);
    let parent =
        node("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]).flag("ranges");
    let parent = parent
        .child(fixed("a@44000000", &[0, 0x4400_0000, 0, 0x1000]))
        .child(fixed("b@45000000", &[0, 0x4500_0000, 0, 0x1000]).text("status", "disabled"))
        .child(fixed("c", &[0, 0x4600_0000, 0]))
        .child(node("wish").cells("size", &[0, 0x1000]));
    let cpus = node("cpus").child(node("cpu@0"));
    let machine =
        read(&blob_with(&root([ram(), cpus, parent]), &[(0x4400_1000, 0x1000), (0x4000_0000, 0x100)]));
    assert_eq!(machine.description.reserved, [bytes(0x4000_0000, 0x100), bytes(0x4400_0000, 0x2000)]);
    assert_eq!(machine.findings(), [("reservation-malformed", "/reserved-memory/c:reg")]);
}

fn uart() -> Node {
    node("uart@9000000")
        .texts("compatible", &["arm,pl011", "arm,primecell"])
        .cells("reg", &[0, 0x900_0000, 0, 0x1000])
}

fn console(path: &str, nodes: impl IntoIterator<Item = Node>) -> Machine {
    machine(nodes.into_iter().chain([uart(), node("chosen").text("stdout-path", path)]))
}

#[test]
fn stdout_path_is_a_path_or_an_alias_with_options() {
    let aliases = || node("aliases").text("serial0", "/uart@9000000").text("top", "/");
    for path in
        ["/uart@9000000", "/uart@9000000:115200n8", "/uart", "serial0", "serial0:115200", "top/uart@9000000"]
    {
        let machine = console(path, [aliases()]);
        assert_eq!(machine.description.console, Some(Console::Pl011(bytes(0x900_0000, 0x1000))), "{path}");
        assert_eq!(machine.findings(), [], "{path}");
    }
}

#[test]
fn a_stdout_path_to_nothing_or_to_no_pl011_is_named() {
    for (path, id) in [
        ("/nothing", "stdout-path-dangling"),
        ("serial9", "stdout-path-dangling"),
        ("", "stdout-path-dangling"),
        ("/other", "console-unknown"),
    ] {
        let machine = console(path, [node("other").text("compatible", "x")]);
        assert_eq!(machine.description.console, None);
        assert_eq!(machine.findings(), [(id, "/chosen:stdout-path")], "{path}");
    }
}

#[test]
fn a_console_is_found_behind_a_bus() {
    let inner = node("uart@10").text("compatible", "arm,sbsa-uart").cells("reg", &[0x10, 0x10]);
    let soc = node("soc").cells("#address-cells", &[1]).cells("#size-cells", &[1]);
    let machine = console("/soc/uart@10", [soc.cells("ranges", &[0, 1, 0, 0x100]).child(inner)]);
    assert_eq!(machine.description.console, Some(Console::Pl011(bytes(0x1_0000_0010, 0x10))));
}

#[test]
fn a_command_line_ends_at_its_first_nul_and_should_be_text() {
    let with = |value: &[u8]| machine([node("chosen").bytes("bootargs", value)]);
    assert_eq!(with(b"a b\0c\0").description.command_line, "a b");
    assert_eq!(with(b"a b").description.command_line, "a b");
    let odd = with(b"a\xff\0");
    assert_eq!(odd.description.command_line, "a\u{fffd}");
    assert_eq!(odd.findings(), [("bootargs-not-text", "/chosen:bootargs")]);
}

#[test]
fn psci_is_called_as_its_method_says() {
    let with = |compatible: &str, method: &str| {
        machine([node("psci").text("compatible", compatible).text("method", method)])
    };
    assert_eq!(with("arm,psci", "hvc").description.psci, Some(PsciConduit::Hvc));
    assert_eq!(with("arm,psci-1.0", "smc").description.psci, Some(PsciConduit::Smc));
    let odd = with("arm,psci-0.2", "svc");
    assert_eq!(odd.description.psci, None);
    assert_eq!(odd.findings(), [("psci-method", "/psci:method")]);
    assert_eq!(machine([]).description.psci, None);
}

#[test]
fn cpus_that_have_failed_do_not_count() {
    let cpu = |name: &str| node(name).text("device_type", "cpu");
    let cpus = node("cpus")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[0])
        .child(cpu("cpu@0").cells("reg", &[0, 0]))
        .child(cpu("cpu@1").text("status", "disabled").cells("reg", &[1, 0x8000_0102, 7]))
        .child(cpu("cpu@2").text("status", "fail-cache").cells("reg", &[0, 2]))
        .child(node("cpu-map"))
        .child(node("cpu@3").cells("reg", &[1]));
    let machine = machine([cpus]);
    assert_eq!(machine.description.cpus, 3);
    let affinities = [0, 0x1_0000_0102].map(CpuAffinity::of_mpidr);
    assert_eq!(machine.description.affinities, affinities);
}

#[test]
fn without_cpus_one_is_assumed_and_it_is_said() {
    let machine = read(&blob(&root([ram()])));
    assert_eq!(machine.description.cpus, 1);
    assert_eq!(machine.description.findings[0].id, "no-cpu");
}
