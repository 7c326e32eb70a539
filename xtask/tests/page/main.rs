//! The page of a run in a real browser: filters, links and keys, both schemes, both widths, and nothing from outside.
//!
//! `cargo test --package xtask --test page` runs it; plain `cargo test` does not, because it needs Chromium, or the
//! browser that `IOGROUPS_BROWSER` names.

mod browser;
mod run;

use std::path::Path;

use serde_json::{Value, json};

use browser::Browser;
use run::{CHECKS, HOSTILE};

/// Names in the rows that are shown.
const SHOWN: &str = "[...document.querySelectorAll('tbody tr:not([hidden])')].map((row) => row.dataset.name)";
/// Numbers of the checks whose details are shown.
const CASES: &str = "[...document.querySelectorAll('#details > article:not([hidden])')].map((one) => one.id)";
/// Names of the machines that are shown.
const MACHINES: &str =
    "[...document.querySelectorAll('[data-machine]:not([hidden])')].map((one) => one.dataset.machine)";

/// What has the focus: its text.
const FOCUS: &str = "document.activeElement.textContent";

/// Whether an element is in the window.
fn is_in_view(selector: &str) -> String {
    format!(
        "(() => {{ const box = document.querySelector({selector:?}).getBoundingClientRect(); \
         return box.height > 0 && box.top >= -1 && box.top < innerHeight; }})()"
    )
}

#[test]
fn the_page_can_be_filtered_followed_and_read() {
    let place = tempfile::tempdir().unwrap();
    let page = run::page(place.path());
    let mut browser = Browser::start();
    browser.show_as(1280, "light");
    browser.open(&page, "");
    filters_by_keyboard(&mut browser);
    filters_by_mouse_and_address(&mut browser, &page);
    links(&mut browser, &page);
    keys(&mut browser, &page);
    sorting(&mut browser, &page);
    looks(&mut browser, &page);
    names_for_readers(&mut browser);
    nothing_from_outside(&mut browser);
    without_script(&mut browser, &page);
}

fn filters_by_keyboard(browser: &mut Browser) {
    assert_eq!(browser.value(SHOWN).as_array().unwrap().len(), CHECKS);
    browser.press("/");
    assert_eq!(browser.value("document.activeElement.id"), "search");
    browser.write("SWITCH");
    assert_eq!(browser.value(SHOWN), json!(["switch", "switch@acpi", "switch@no-iommu"]));
    assert_eq!(browser.value(CASES), json!(["case-2"]));
    assert_eq!(browser.value(MACHINES), json!(["switch"]));
    assert_eq!(browser.value("document.getElementById('shown').textContent"), "3 of 6 shown");
    assert_eq!(browser.value("location.hash"), "#?text=SWITCH");
    // A second slash is a character of the search.
    browser.press("/");
    assert_eq!(browser.value("document.getElementById('search').value"), "SWITCH/");
    browser.press("Escape");
    assert_eq!(browser.value(SHOWN).as_array().unwrap().len(), CHECKS);
    // The text of a failure is found too.
    browser.write("waiting for");
    assert_eq!(browser.value(SHOWN), json!(["switch@acpi"]));
    browser.press("Escape");
    // The next field is the outcome; a letter chooses.
    browser.press("Tab");
    browser.write("f");
    assert_eq!(browser.value(SHOWN), json!(["switch@acpi", HOSTILE]));
}

fn filters_by_mouse_and_address(browser: &mut Browser, page: &Path) {
    browser.click("#filters button");
    assert_eq!(browser.value(SHOWN).as_array().unwrap().len(), CHECKS);
    let one_of = [
        ("#?route=acpi", json!(["switch@acpi"])),
        ("#?path=legacy", json!(["switch@acpi"])),
        ("#?iommu=off", json!(["switch@no-iommu"])),
        ("#?topology=rocker", json!(["rocker"])),
        ("#?outcome=skipped", json!(["rocker"])),
        ("#?qemu=7.2.22&outcome=passed", json!(["switch", "switch@no-iommu"])),
        ("#?outcome=failed&text=nothing%20has%20this", json!([])),
    ];
    for (fragment, names) in one_of {
        browser.open(page, fragment);
        assert_eq!(browser.value(SHOWN), names, "{fragment}");
    }
    browser.open(page, "#?iommu=off");
    assert_eq!(browser.value("document.querySelector('[name=iommu]').value"), "off");
}

fn links(browser: &mut Browser, page: &Path) {
    browser.open(page, "");
    browser.click("#row-2 a");
    assert_eq!(browser.value("location.hash"), "#case-2");
    browser.wait_for(&is_in_view("#case-2"));
    // To the picture of its machine, which is folded.
    browser.click("#case-2 .commands a");
    browser.wait_for(&is_in_view("#machine-1 svg"));
    // Of a check that passed, the row leads there too.
    browser.open(page, "");
    browser.click("#row-3 a");
    browser.wait_for(&is_in_view("#machine-1 svg"));
    // What a filter hides is shown when a link leads to it.
    browser.open(page, "#?outcome=passed");
    browser.value("location.hash = '#case-2'");
    browser.wait_for(&is_in_view("#case-2"));
    assert_eq!(browser.value("document.querySelector('[name=outcome]').value"), "");
    // Every link leads somewhere.
    let dead = "[...document.links].map((link) => link.getAttribute('href')) \
                .filter((to) => !to.startsWith('#') || !document.getElementById(to.slice(1)))";
    assert_eq!(browser.value(dead), json!([]));
}

fn keys(browser: &mut Browser, page: &Path) {
    browser.open(page, "");
    // Skip links come first, and are seen once they have the focus.
    browser.press("Tab");
    assert_eq!(browser.value(FOCUS), "Skip to the failures");
    assert_eq!(browser.value("document.activeElement.getBoundingClientRect().left >= 0"), true);
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for("document.activeElement.id === 'results'");
    browser.press("/");
    browser.write("switch");
    let steps = [
        ("ArrowDown", "switch"),
        ("ArrowDown", "switch@acpi"),
        ("ArrowUp", "switch"),
        ("ArrowUp", "switch"),
        ("End", "switch@no-iommu"),
        ("ArrowDown", "switch@no-iommu"),
        ("Home", "switch"),
        ("ArrowDown", "switch@acpi"),
    ];
    for (key, name) in steps {
        browser.press(key);
        assert_eq!(browser.value(FOCUS), name, "{key}");
    }
    browser.press("Enter");
    browser.wait_for("location.hash === '#case-2'");
}

fn sorting(browser: &mut Browser, page: &Path) {
    browser.open(page, "");
    browser.click("th[data-sort=seconds] button");
    assert_eq!(browser.value(&format!("{SHOWN}[0]")), "format");
    assert_eq!(browser.value("document.querySelector('[aria-sort]').ariaSort"), "descending");
    browser.click("th[data-sort=seconds] button");
    assert_eq!(browser.value(&format!("{SHOWN}[0]")), "rocker");
    browser.click("th[data-sort=qemu-seconds] button");
    assert_eq!(browser.value(&format!("{SHOWN}.at(-1)")), "format");
}

/// Elements with text of their own whose contrast with what is behind them is below 4.5 to 1.
const FAINT: &str = r"(() => {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const faint = [];
  for (const element of document.body.querySelectorAll('*')) {
    if (!hasText(element) || element.closest('svg, script, option') || !element.getClientRects().length) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${element.localName} ${element.className} ${ratio.toFixed(2)}: ${element.textContent}`);
  }
  return faint;
})()";

fn looks(browser: &mut Browser, page: &Path) {
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
        browser.show_as(width, scheme);
        browser.open(page, "");
        let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.value(overflow), 0, "{width} {scheme}");
        assert_eq!(browser.value(FAINT), json!([]), "{width} {scheme}");
        let background = browser.value("getComputedStyle(document.body).backgroundColor");
        let picture = browser.value("getComputedStyle(document.querySelector('.picture .page')).fill");
        assert_eq!(background, picture, "{width} {scheme}");
        assert_eq!(background == "rgb(255, 255, 255)", scheme == "light", "{background}");
    }
}

/// Everything that is used or seen as a thing of its own has a name for those who do not see it.
fn names_for_readers(browser: &mut Browser) {
    browser.call("Accessibility.enable", json!({}));
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let roles =
        ["link", "button", "searchbox", "combobox", "image", "region", "search", "article", "columnheader"];
    let mut seen = std::collections::BTreeSet::new();
    for node in tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false) {
        let Some(role) = node["role"]["value"].as_str().filter(|role| roles.contains(role)) else { continue };
        seen.insert(role);
        let has_name = !node["name"]["value"].as_str().unwrap_or_default().is_empty();
        assert!(has_name || role == "article", "{node}");
    }
    for role in ["link", "button", "searchbox", "combobox", "region", "search"] {
        assert!(seen.contains(role), "{role}: {seen:?}");
    }
    assert_eq!(browser.value("document.querySelectorAll('h1').length"), 1);
    assert_eq!(browser.value("document.documentElement.lang"), "en");
}

fn nothing_from_outside(browser: &mut Browser) {
    assert_eq!(browser.value("typeof window.hacked"), "undefined");
    let texts = format!("document.body.textContent.split({HOSTILE:?}).length > 5");
    assert_eq!(browser.value(&texts), true);
    let asked = browser.events("Network.requestWillBeSent");
    let urls: Vec<&str> = asked.iter().filter_map(|event| event["request"]["url"].as_str()).collect();
    assert!(
        !urls.is_empty() && urls.iter().all(|url| url.starts_with("file:") && url.contains("page.html")),
        "{urls:?}"
    );
    assert_eq!(browser.events("Runtime.exceptionThrown"), Vec::<&Value>::new());
    assert_eq!(browser.events("Log.entryAdded"), Vec::<&Value>::new());
}

fn without_script(browser: &mut Browser, page: &Path) {
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(page, "");
    assert_eq!(browser.value("document.getElementById('filters').hidden"), true);
    assert_eq!(browser.value(SHOWN).as_array().unwrap().len(), CHECKS);
    assert_eq!(browser.value("document.querySelectorAll('th button').length"), 0);
    // A link opens what is folded by itself.
    browser.open(page, "#machine-1");
    browser.wait_for(&is_in_view("#machine-1 svg"));
}
