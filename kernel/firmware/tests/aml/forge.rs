//! AML written by hand, one construct at a time.

use firmware::acpi::aml::{AmlDevice, Namespace, read};
use probe::Finding;

/// Bytes that are put together in order.
#[macro_export]
macro_rules! aml {
    ($($part:expr),* $(,)?) => {{
        let mut bytes: Vec<u8> = Vec::new();
        $(bytes.extend_from_slice($part.as_ref());)*
        bytes
    }};
}

/// `PkgLength` and `body`; the shortest form that fits.
pub(crate) fn pkg(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = match body.len() {
        0..0x3f => vec![body.len() as u8 + 1],
        0x3f..0xffe => {
            let length = body.len() + 2;
            vec![0x40 | (length & 0xf) as u8, (length >> 4) as u8]
        }
        _ => {
            let length = body.len() + 3;
            vec![0x80 | (length & 0xf) as u8, (length >> 4) as u8, (length >> 12) as u8]
        }
    };
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn scope(name: &str, terms: impl AsRef<[u8]>) -> Vec<u8> {
    aml!([0x10], pkg(aml!(name, terms)))
}

pub(crate) fn device(name: &str, terms: impl AsRef<[u8]>) -> Vec<u8> {
    aml!([0x5b, 0x82], pkg(aml!(name, terms)))
}

pub(crate) fn method(name: &str, flags: u8, terms: impl AsRef<[u8]>) -> Vec<u8> {
    aml!([0x14], pkg(aml!(name, [flags], terms)))
}

pub(crate) fn name(name: &str, data: impl AsRef<[u8]>) -> Vec<u8> {
    aml!([0x08], name, data)
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    aml!([0x0d], text, [0])
}

pub(crate) fn dword(number: u32) -> Vec<u8> {
    aml!([0x0c], number.to_le_bytes())
}

pub(crate) fn buffer(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    aml!([0x11], pkg(aml!([0x0b], (bytes.len() as u16).to_le_bytes(), bytes)))
}

pub(crate) fn package(count: u8, elements: impl AsRef<[u8]>) -> Vec<u8> {
    aml!([0x12], pkg(aml!([count], elements)))
}

/// A table with these terms.
pub(crate) fn table(signature: &str, revision: u8, terms: impl AsRef<[u8]>) -> Vec<u8> {
    let terms = terms.as_ref();
    aml!(signature, (36 + terms.len() as u32).to_le_bytes(), [revision], [0; 27], terms)
}

pub(crate) fn dsdt(terms: impl AsRef<[u8]>) -> Vec<u8> {
    table("DSDT", 2, terms)
}

/// What a DSDT with these terms describes.
pub(crate) fn namespace(terms: impl AsRef<[u8]>) -> Namespace {
    read(&[&dsdt(terms)])
}

/// The paths of all devices.
pub(crate) fn paths(namespace: &Namespace) -> Vec<&str> {
    namespace.devices().iter().map(|device| device.path.as_str()).collect()
}

/// A device `\DEV0` with these terms, and what was found.
pub(crate) fn only_device(terms: impl AsRef<[u8]>) -> (AmlDevice, Vec<Finding>) {
    let namespace = namespace(device("DEV0", terms));
    assert_eq!(paths(&namespace), ["\\DEV0"]);
    (namespace.devices()[0].clone(), namespace.findings().to_vec())
}

/// Their ids and sentences, one a line.
pub(crate) fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {}: {}", finding.id, finding.place, finding.sentence)).collect()
}
