//! A run of the suite to make a page of: one check of each kind, and one in which every text is hostile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::{Device, Group, GroupType, Report, Run};
use serde_json::{Value, json};

/// A text that would run a script if it were not escaped anywhere.
pub(crate) const HOSTILE: &str =
    "</pre></title><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\"&";

/// Number of checks.
pub(crate) const CHECKS: usize = 6;

/// A topology, a route, a path, whether there is an IOMMU, and the files that are kept of it.
fn boot(topology: &str, route: &str, path: &str, iommu: &str, file: Option<&str>) -> Value {
    json!({
        "topology": topology, "probes": format!("what {topology} shows"), "firmware": route, "path": path,
        "iommu": iommu, "order": null, "qemu_seconds": 0.1,
        "log": file.map(|file| format!("{file}.log")), "report": file.map(|file| format!("{file}.json")),
    })
}

fn check(name: &str, result: &str, seconds: f64, boot: Option<Value>) -> Value {
    let differences = match (result, name) {
        ("fail", HOSTILE) => vec![HOSTILE],
        ("fail", _) => {
            vec!["0000:02:00.0: expected in group 1 {0000:02:00.0}, is in no group: waiting for: pci"]
        }
        _ => Vec::new(),
    };
    json!({
        "name": name, "layer": if boot.is_some() { "boot" } else { "host" }, "result": result, "seconds": seconds,
        "command": format!("qemu {name}"), "repeat": format!("again {name}"), "differences": differences,
        "reason": (result == "skip").then_some("QEMU 7.2 does not have rocker"),
        "qemu": boot.is_some().then_some("7.2.22"), "boot": boot,
    })
}

fn report_of(text: &str) -> Report {
    let mut report = Report::new(Run { path: "fixed".into(), firmware: "dt".into(), ..Run::default() });
    report.groups = vec![Group {
        id: 0,
        kind: GroupType::Dma,
        reserved_regions: Vec::new(),
        devices: vec!["0000:00:02.0".into()],
    }];
    for (name, group) in [("0000:00:02.0", Some(0)), ("0000:00:03.0", None)] {
        let device = json!({
            "name": name, "bus": "pci", "id": text, "kind": "endpoint", "driver": text, "group": group, "why": text,
            "endpoints": [], "isolation_lost": group.is_none(),
        });
        report.devices.push(serde_json::from_value::<Device>(device).unwrap());
    }
    report
}

/// Writes the run and makes its page.
pub(crate) fn page(place: &Path) -> PathBuf {
    let write = |name: &str, text: &str| fs::write(place.join(name), text).unwrap();
    for (file, text) in [("switch", "own group"), ("acpi", "waiting for: pci"), ("hostile", HOSTILE)] {
        write(&format!("{file}.json"), &report_of(text).to_json_line());
        write(&format!("{file}.log"), &format!("[    0.000001] {text}\n").repeat(3));
    }
    let tests = [
        check("format", "pass", 2.0, None),
        check("switch", "pass", 0.3, Some(boot("switch", "dt", "fixed", "on", Some("switch")))),
        check("switch@acpi", "fail", 0.4, Some(boot("switch", "acpi", "legacy", "on", Some("acpi")))),
        check("switch@no-iommu", "pass", 0.2, Some(boot("switch", "dt", "fixed", "off", None))),
        check("rocker", "skip", 0.0, Some(boot("rocker", "dt", "fixed", "on", None))),
        check(HOSTILE, "fail", 0.1, Some(boot(HOSTILE, "dt", "fixed", "on", Some("hostile")))),
    ];
    assert_eq!(tests.len(), CHECKS);
    let results = json!({
        "schema": "iogroups-test/1", "result": "fail", "exit_status": 1, "qemu": HOSTILE, "qemus": [HOSTILE],
        "passed": 3, "failed": 2, "skipped": 1, "skipped_reasons": {}, "began": 1_800_000_000, "seconds": 3.5,
        "boots": {"count": 4, "seconds": 1.2, "qemu_seconds": 1.0, "overhead_ms": 4.0}, "tests": tests,
    });
    write("results.json", &results.to_string());
    let page = place.join("page.html");
    let made = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("report")
        .arg(place)
        .arg("--out")
        .arg(&page)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    page
}
