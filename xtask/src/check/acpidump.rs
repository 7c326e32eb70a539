//! The text that acpidump prints: for each table a line `IORT @ 0x0000000012345678`, then lines of 16 bytes.

use super::machine::Finding;

/// Most bytes of a line.
const BYTES_OF_LINE: usize = 16;
/// Tables that lead to other tables, which a dump has anyway.
const ROOTS: [&str; 3] = ["RSD PTR", "RSDT", "XSDT"];

/// The content of a dump.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// Each with the line of the dump where it begins.
    pub(super) tables: Vec<(String, Vec<u8>)>,
    pub(super) findings: Vec<Finding>,
}

/// The name of the table that begins with a line.
pub(super) fn table_line(line: &str) -> Option<&str> {
    let (name, address) = line.split_once(" @ 0x")?;
    let is_address =
        !address.trim_end().is_empty() && address.trim_end().bytes().all(|b| b.is_ascii_hexdigit());
    (is_address && (name.len() == 4 || name.starts_with("RSD PTR"))).then_some(name.trim_end())
}

/// Reads a dump. A line that is malformed ends its table, which is then too short, and is a finding.
pub(super) fn read(text: &str) -> Dump {
    let mut dump = Dump::default();
    let mut open: Option<(String, String, Vec<u8>)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = table_line(line) {
            dump.keep(open.take());
            open = Some((name.to_owned(), format!("line {number}"), Vec::new()));
            continue;
        }
        let Some((name, _, bytes)) = &mut open else { continue };
        match bytes_of(line) {
            None if line.trim().is_empty() => {}
            Some((offset, more)) if offset == bytes.len() => bytes.extend(more),
            _ => {
                let what =
                    format!("expected bytes from {:#x} on; the rest of the table is not read", bytes.len());
                dump.findings.push(Finding {
                    id: "acpidump-line",
                    severity: "error",
                    place: format!("line {number}, table {name}"),
                    file: None,
                    offset: None,
                    sentence: what,
                });
                dump.keep(open.take());
            }
        }
    }
    dump.keep(open.take());
    dump
}

impl Dump {
    fn keep(&mut self, table: Option<(String, String, Vec<u8>)>) {
        if let Some((name, line, bytes)) = table.filter(|(name, ..)| !ROOTS.contains(&name.as_str())) {
            self.tables.push((format!("{name}, {line}"), bytes));
        }
    }
}

/// The offset and the bytes of a line: `    0010: 49 4f 52 54  IORT`. Behind the bytes stand letters, which may look
/// like more of them.
fn bytes_of(line: &str) -> Option<(usize, Vec<u8>)> {
    let (offset, rest) = line.split_once(':')?;
    let offset = usize::from_str_radix(offset.trim(), 16).ok()?;
    let columns = rest.strip_prefix(' ')?.as_bytes().chunks(3).take(BYTES_OF_LINE);
    let bytes = columns.map_while(|column| {
        let digits = std::str::from_utf8(column.get(..2)?).ok()?;
        // `from_str_radix` would take a sign.
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        u8::from_str_radix(digits, 16).ok()
    });
    let bytes: Vec<u8> = bytes.collect();
    (!bytes.is_empty()).then_some((offset, bytes))
}
