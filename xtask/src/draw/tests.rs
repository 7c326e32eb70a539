use report::Report;

use super::picture::{Picture, RowKind};
use super::{svg, text};
use crate::fixture::{device, report_of};

/// A root port with a switch: the upstream port alone, both downstream ports in one group with what is below them.
fn switch() -> Report {
    let ports = ["0000:02:00.0", "0000:02:01.0", "0000:03:00.0", "0000:04:00.0"];
    let mut report = report_of(&[&["0000:00:02.0"], &["0000:01:00.0"], &ports, &["0000:00:03.0"]]);
    for (name, bus) in [
        ("0000:00:02.0", "0x01"),
        ("0000:01:00.0", "0x02"),
        ("0000:02:00.0", "0x03"),
        ("0000:02:01.0", "0x04"),
    ] {
        let bridge = report.devices.iter_mut().find(|device| device.name == name).expect("it is there");
        bridge.secondary_bus = Some(bus.into());
    }
    report
}

fn names(picture: &Picture) -> Vec<(usize, &str)> {
    picture.rows.iter().map(|row| (row.depth, row.name.as_str())).collect()
}

#[test]
fn what_is_below_a_bridge_follows_it() {
    let picture = Picture::of("switch", &switch());
    let rows = [
        (0, "PCI bus 0000:00"),
        (1, "0000:00:01.0"),
        (1, "0000:00:02.0"),
        (2, "0000:01:00.0"),
        (3, "0000:02:00.0"),
        (4, "0000:03:00.0"),
        (3, "0000:02:01.0"),
        (4, "0000:04:00.0"),
        (1, "0000:00:03.0"),
    ];
    assert_eq!(names(&picture), rows);
    assert_eq!(picture.rows[1].kind, RowKind::Iommu);
    assert_eq!(picture.bands(), [(0, 2, 1), (1, 3, 1), (2, 4, 4), (3, 8, 1)]);
}

#[test]
fn a_group_that_is_apart_has_several_boxes() {
    let picture = Picture::of("x", &report_of(&[&["0000:00:02.0", "0000:00:04.0"], &["0000:00:03.0"]]));
    assert_eq!(picture.bands(), [(0, 2, 1), (1, 3, 1), (0, 4, 1)]);
    let drawn = svg::svg(&picture);
    assert!(drawn.contains("group 0 · DMA") && drawn.contains("group 0, too"));
}

#[test]
fn a_virtual_function_is_below_its_physical_function() {
    let mut report = report_of(&[&["0000:01:00.0"], &["0000:02:00.1"]]);
    report.devices[2].physfn = Some("0000:01:00.0".into());
    let picture = Picture::of("x", &report);
    assert_eq!(names(&picture)[2..], [(0, "PCI bus 0000:01"), (1, "0000:01:00.0"), (2, "0000:02:00.1")]);
}

#[test]
fn wrong_bus_numbers_lose_no_function_and_end() {
    for bus in ["0x00", "0x01", "0xff", "nonsense"] {
        let mut report = switch();
        for device in &mut report.devices {
            device.secondary_bus = Some(bus.into());
        }
        let rows = Picture::of("x", &report).rows;
        assert_eq!(rows.iter().filter(|row| row.kind != RowKind::Bus).count(), report.devices.len(), "{bus}");
    }
}

#[test]
fn platform_devices_are_there_if_an_iommu_has_to_do_with_them() {
    let mut report = report_of(&[&["0000:00:02.0"], &["a000000.virtio_mmio"]]);
    for name in ["9000000.pl011", "lost"] {
        let mut platform = device(name, None, "not in the firmware's map");
        (platform.bus, platform.isolation_lost) = ("platform".into(), name == "lost");
        report.devices.push(platform);
    }
    let grouped = report.devices.iter_mut().find(|device| device.name.starts_with('a')).expect("it is there");
    grouped.bus = "platform".into();
    let picture = Picture::of("x", &report);
    let at = names(&picture).iter().position(|row| *row == (0, "platform devices")).expect("there are some");
    assert_eq!(names(&picture)[at + 1..], [(1, "a000000.virtio_mmio"), (1, "lost")]);
    assert_eq!(picture.rows[at + 2].kind, RowKind::Ungrouped { lost: true });
    assert_eq!(picture.left_out, 1);
    assert!(svg::svg(&picture).contains("1 further platform device, which"));
}

#[test]
fn every_language_has_every_device_and_every_group() {
    let mut report = switch();
    report.devices[0].why = "a \"quoted\" <reason> & #1".into();
    let picture = Picture::of("switch", &report);
    let dot = text::dot(&picture);
    let mermaid = text::mermaid(&picture);
    let drawn = svg::svg(&picture);
    for row in &picture.rows {
        for (language, text) in [("dot", &dot), ("mermaid", &mermaid), ("svg", &drawn)] {
            assert!(text.contains(&row.name), "{} in {language}", row.name);
        }
    }
    assert_eq!(dot.matches("subgraph cluster_group_").count(), 4);
    assert_eq!(mermaid.matches("  subgraph g").count(), 4);
    assert_eq!(drawn.matches("class=\"band g").count(), 4);
    assert_eq!([dot.matches(" -> ").count(), mermaid.matches(" --- ").count()], [8, 8]);
    assert!(dot.contains(r#"a \"quoted\" <reason> & #1"#));
    assert!(mermaid.contains("a #quot;quoted#quot; <reason> & #35;1"));
    assert!(drawn.contains("&lt;reason&gt; &amp; #1"));
}

#[test]
fn a_picture_is_well_formed_xml() {
    let drawn = svg::svg(&Picture::of("a <b> & c", &switch()));
    let mut reader = quick_xml::Reader::from_str(&drawn);
    let mut depth = 0_i32;
    loop {
        match reader.read_event().expect("it is XML") {
            quick_xml::events::Event::Start(_) => depth += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
}
