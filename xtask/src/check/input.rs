//! Which files are given, and what each of them is: decided by their first bytes, not by their names.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::linux;
use crate::outcome::Stop;

/// How a device tree blob begins (Devicetree Specification 0.4, section 5.2).
const TREE_MAGIC: [u8; 4] = 0xd00d_feed_u32.to_be_bytes();
/// How the root pointer of ACPI begins, which is not needed here.
const RSDP_MAGIC: &[u8] = b"RSD PTR ";
/// How the names of trees end in packages.
const TREE_ENDING: &str = ".dtb";
/// Bytes of the header that every ACPI table has.
const TABLE_HEADER: usize = 36;
/// A table is shorter, or it is not one.
const TABLE_LIMIT: usize = 1 << 24;
/// Where the length is in a table's header.
const LENGTH: std::ops::RangeFrom<usize> = 4..;
/// Most bytes of a file; a tree has at most 2 MiB, a table at most 4, a package of a kernel some 100.
const SIZE_LIMIT: u64 = 1 << 30;
/// Deepest directory that is looked into.
const DEPTH_LIMIT: usize = 8;
/// Most files of all directories.
const FILE_LIMIT: usize = 100_000;

/// One machine's description, or a file that is none.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) content: Content,
}

/// What a file is.
#[derive(Debug)]
pub(super) enum Content {
    Tree(Vec<u8>),
    /// Tables by the names of their files.
    Tables(Vec<(String, Vec<u8>)>),
    /// The output of acpidump.
    Dump(String),
    /// Neither, and why.
    Unknown(String),
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) inputs: Vec<Input>,
    /// Files of directories that are neither trees nor tables.
    pub(super) ignored: Vec<String>,
    files: usize,
}

/// Finds the descriptions in files and directories.
///
/// # Errors
///
/// One of them does not exist or cannot be read, or there are too many.
pub(super) fn find(places: &[PathBuf]) -> Result<Found, Stop> {
    let mut found = Found::default();
    let mut tables = Vec::new();
    for place in places {
        if place.is_dir() {
            found.add_directory(place, DEPTH_LIMIT)?;
            continue;
        }
        let name = place.display().to_string();
        let bytes = read(place)?;
        if linux::is_package(&bytes) {
            found.inputs.extend(of_package(&name, &bytes)?);
            continue;
        }
        match content(&name, bytes) {
            Content::Tables(files) => tables.extend(files),
            content => found.inputs.push(Input { name, content }),
        }
    }
    found.add_tables(tables);
    if found.inputs.is_empty() {
        return Err(Stop::usage("there is neither a device tree nor an ACPI table"));
    }
    Ok(found)
}

impl Found {
    fn add_directory(&mut self, place: &Path, depth: usize) -> Result<(), Stop> {
        let refuse = |error: std::io::Error| Stop::unable(format!("{}: {error}", place.display()));
        let mut paths = Vec::new();
        for entry in fs::read_dir(place).map_err(refuse)? {
            paths.push(entry.map_err(refuse)?.path());
        }
        paths.sort();
        let mut tables = Vec::new();
        for path in paths {
            // A link to a directory may lead anywhere.
            let is_link = path.is_symlink();
            if path.is_dir() && !is_link {
                if depth > 0 {
                    self.add_directory(&path, depth - 1)?;
                }
            } else if path.is_file() {
                self.files += 1;
                if self.files > FILE_LIMIT {
                    return Err(Stop::unable(format!("there are more than {FILE_LIMIT} files")));
                }
                let name = path.display().to_string();
                match content(&name, read(&path)?) {
                    Content::Tables(files) => tables.extend(files),
                    Content::Unknown(_) => self.ignored.push(name),
                    content => self.inputs.push(Input { name, content }),
                }
            }
        }
        self.add_tables(tables);
        Ok(())
    }

    /// Adds tables of one machine, which has the name of their directory if there are several.
    fn add_tables(&mut self, files: Vec<(String, Vec<u8>)>) {
        let name = match &files[..] {
            [] => return,
            [(name, _)] => name.clone(),
            [(first, _), ..] => match Path::new(first).parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
                _ => format!("{} tables", files.len()),
            },
        };
        self.inputs.push(Input { name, content: Content::Tables(files) });
    }
}

/// The trees in a package of a kernel.
///
/// # Errors
///
/// It is malformed.
pub(super) fn of_package(name: &str, bytes: &[u8]) -> Result<Vec<Input>, Stop> {
    let mut inputs = Vec::new();
    let mut keep = |path: &str, bytes: Vec<u8>| {
        let name = format!("{name}: {}", path.trim_start_matches("./"));
        let content = content(&name, bytes);
        inputs.push(Input { name, content });
    };
    linux::for_each_file(bytes, |path| path.ends_with(TREE_ENDING), &mut keep)
        .map_err(|error| Stop::unable(format!("{name}: {error:#}")))?;
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(inputs)
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    let refuse = |error: std::io::Error| Stop::unable(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    File::open(path).map_err(refuse)?.take(SIZE_LIMIT).read_to_end(&mut bytes).map_err(refuse)?;
    Ok(bytes)
}

/// What the bytes of a file are.
pub(super) fn content(name: &str, bytes: Vec<u8>) -> Content {
    if bytes.starts_with(&TREE_MAGIC) {
        return Content::Tree(bytes);
    }
    if is_table(&bytes) {
        return Content::Tables(split(name, bytes));
    }
    let start = bytes.get(..4).map_or_else(
        || format!("it has {} bytes", bytes.len()),
        |start| format!("it begins with {:02x} {:02x} {:02x} {:02x}", start[0], start[1], start[2], start[3]),
    );
    let is_root = bytes.starts_with(RSDP_MAGIC);
    match String::from_utf8(bytes) {
        Ok(text) if text.lines().any(|line| super::acpidump::table_line(line).is_some()) => {
            Content::Dump(text)
        }
        _ if is_root => {
            Content::Unknown("this is the root pointer of ACPI; give the tables that it leads to".into())
        }
        _ => Content::Unknown(format!(
            "byte 0x0: this is not a device tree (d0 0d fe ed), an ACPI table or the output of acpidump; {start}"
        )),
    }
}

/// The tables of a file, which may have several, one behind the other with zeros between them; a table that is not the
/// first has its place in its name.
fn split(name: &str, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut tables = Vec::new();
    let mut at = 0;
    loop {
        let end = at + length(&bytes[at..]);
        let gap = bytes.get(end..).and_then(|rest| rest.iter().position(|byte| *byte != 0));
        let next = gap.map(|gap| end + gap).filter(|next| is_table(&bytes[*next..]));
        let table = bytes[at..next.unwrap_or(bytes.len())].to_vec();
        tables.push((if at == 0 { name.to_owned() } else { format!("{name}+{at:#x}") }, table));
        match next {
            Some(next) => at = next,
            None => return tables,
        }
    }
}

/// How long a table is by its header.
fn length(table: &[u8]) -> usize {
    let length = table.get(LENGTH).and_then(|field| field.first_chunk::<4>());
    length.map_or(0, |length| u32::from_le_bytes(*length) as usize)
}

/// Whether bytes begin like an ACPI table: a signature, and a length that is possible.
fn is_table(bytes: &[u8]) -> bool {
    let Some(signature) = bytes.first_chunk::<4>() else { return false };
    let is_letter = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    signature.iter().all(is_letter)
        && signature[0].is_ascii_uppercase()
        && (TABLE_HEADER..TABLE_LIMIT).contains(&length(bytes))
}
