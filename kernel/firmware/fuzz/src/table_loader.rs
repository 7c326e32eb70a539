//! Target `table_loader`: fw_cfg's directory, the script, and the bytes of all files.
//!
//! An input is one byte that says how memory is given out, the length of the script (two bytes, little-endian)
//! and the script; the length of the directory and the directory; and behind it the files, each as long as the
//! directory says, as far as there are bytes.

use std::hint::black_box;

use addr::PhysAddr;
use firmware::acpi::Tables;
use firmware::acpi::fw_cfg;
use firmware::acpi::table_loader::{TableSource, Zone, run};

/// Names of the files if the directory is none.
const NAMES: [&str; 2] = ["etc/acpi/rsdp", "etc/acpi/tables"];

struct Files<'a> {
    files: Vec<(String, &'a [u8])>,
    /// How memory is given out.
    manner: u8,
    free: u64,
}

impl TableSource for Files<'_> {
    fn file(&mut self, name: &str) -> Option<Vec<u8>> {
        self.files.iter().find(|file| file.0 == name).map(|file| file.1.to_vec())
    }

    /// As it should be; or wrongly, for which the loader must have an error.
    fn allocate(&mut self, bytes: usize, alignment: u64, zone: Zone) -> Option<PhysAddr> {
        let place = self.free.checked_next_multiple_of(alignment)?;
        self.free = match self.manner % 8 {
            0 => place,
            1 if zone == Zone::High => return None,
            2 => place.wrapping_add(1),
            _ => place.checked_add(bytes as u64)?,
        };
        Some(PhysAddr(place))
    }
}

/// Reads the directory, carries out the script, and gathers the tables that it made.
pub fn exercise(input: &[u8]) {
    let (manner, rest) = input.split_first().unwrap_or((&0, &[]));
    let (script, rest) = part(rest);
    let (directory, rest) = part(rest);
    let files = match fw_cfg::directory(directory) {
        Ok(files) => files,
        Err(error) => {
            black_box(error.to_string());
            let sizes = [36, u32::MAX];
            let file = |(name, size): (&str, u32)| fw_cfg::File { name: name.into(), key: 0, size };
            NAMES.into_iter().zip(sizes).map(file).collect()
        }
    };
    let mut pool = rest;
    let mut take = |file: fw_cfg::File| {
        let (bytes, rest) = pool.split_at(pool.len().min(file.size as usize));
        pool = rest;
        (file.name, bytes)
    };
    let files = files.into_iter().map(&mut take).collect();
    // Near the end of the address space, beyond 4 GiB, or where QEMU has RAM.
    let free = [0x4000_0000, 0xffff_f000, u64::MAX - 0x1fff][usize::from(manner >> 6) % 3];
    match run(script, &mut Files { files, manner: *manner, free }) {
        Ok(loaded) => {
            for (index, blob) in loaded.blobs.iter().enumerate() {
                assert_eq!(
                    blob.range.size(),
                    blob.bytes.len() as u64,
                    "a blob that is not as long as its place"
                );
                let mut others = loaded.blobs[..index].iter();
                assert!(!others.any(|other| other.range.overlaps(&blob.range)), "blobs overlap");
            }
            match Tables::gather(loaded.rsdp, &loaded) {
                Ok(tables) => drop(black_box(tables)),
                Err(error) => drop(black_box(error.to_string())),
            }
        }
        Err(error) => drop(black_box(error.to_string())),
    }
}

/// A part with its length in front, and what is behind it.
fn part(input: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = input.split_first_chunk() else { return (&[], &[]) };
    rest.split_at(rest.len().min(usize::from(u16::from_le_bytes(*length))))
}

/// An input whose memory is given out as it should be. The files stand in the order of the directory.
#[must_use]
pub fn input(script: &[u8], directory: &[u8], files: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![7];
    for part in [script, directory] {
        input.extend(u16::try_from(part.len()).expect("the scripts here are short").to_le_bytes());
        input.extend(part);
    }
    input.extend(files.concat());
    input
}

/// A directory of `files`, as QEMU has it: name and length.
#[must_use]
pub fn directory(files: &[(&str, usize)]) -> Vec<u8> {
    let mut directory = (files.len() as u32).to_be_bytes().to_vec();
    for (number, (name, size)) in files.iter().enumerate() {
        directory.extend((*size as u32).to_be_bytes());
        directory.extend((0x20 + number as u32).to_be_bytes().iter().rev().take(2).rev());
        directory.extend([0; 2]);
        let end = directory.len() + 56;
        directory.extend(name.as_bytes());
        directory.resize(end, 0);
    }
    directory
}
