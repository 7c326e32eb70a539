//! The files of a kernel: those below a directory, or in a package of Debian or of an RPM distribution.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::compression;

mod rpm;

/// The first bytes of a package of Debian, which is an `ar` archive.
const DEB: &[u8] = b"!<arch>\n";
/// The suffixes of the names of packages.
const PACKAGES: [&str; 2] = [".deb", ".rpm"];
/// Limit of the depth of directories.
const DEPTH_LIMIT: usize = 24;

/// Files by their paths, which begin without a slash.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Content>);

#[derive(Debug)]
enum Content {
    /// Read when it is needed.
    At(PathBuf),
    Bytes(Vec<u8>),
}

/// Whether a file is one that is needed here: a kernel, or a module.
fn is_of_kernel(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    is_module(name) || is_image(name)
}

fn is_module(name: &str) -> bool {
    [".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().any(|ending| name.ends_with(ending))
}

/// `vmlinuz`, `vmlinuz-6.12`, `Image`, `Image.gz`, `vmlinuz.efi`.
fn is_image(name: &str) -> bool {
    let plain =
        [".gz", ".efi", ".xz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    plain == "Image" || plain == "vmlinuz" || name.starts_with("vmlinuz-")
}

/// Whether these bytes are a package.
pub(crate) fn is_package(bytes: &[u8]) -> bool {
    bytes.starts_with(DEB) || bytes.starts_with(rpm::MAGIC)
}

/// Gives the files of a package whose paths are `wanted` to `keep`, with their content.
///
/// # Errors
///
/// It is malformed.
pub(crate) fn for_each_file(
    bytes: &[u8],
    wanted: fn(&str) -> bool,
    keep: &mut dyn FnMut(&str, Vec<u8>),
) -> Result<()> {
    if bytes.starts_with(rpm::MAGIC) {
        return rpm::for_each_file(bytes, &mut |path, bytes| {
            if wanted(path) {
                keep(path, bytes.to_vec());
            }
        });
    }
    let mut archive = ar::Archive::new(bytes);
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry?;
        if !entry.header().identifier().starts_with(b"data.tar") {
            continue;
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data)?;
        for file in tar::Archive::new(compression::reader(&data)?).entries()? {
            let mut file = file?;
            let path = file.path()?.to_string_lossy().into_owned();
            if file.header().entry_type().is_file() && wanted(&path) {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                keep(&path, bytes);
            }
        }
        return Ok(());
    }
    anyhow::bail!("there is no data.tar in it")
}

impl Files {
    /// The kernels and modules below a directory, those in packages there too, or in a package.
    ///
    /// # Errors
    ///
    /// It cannot be read, or it is neither.
    pub(super) fn read(place: &Path) -> Result<Self> {
        let mut files = Self::default();
        if place.is_dir() {
            files.add_directory(place, "", DEPTH_LIMIT)?;
            return Ok(files);
        }
        let bytes = fs::read(place).with_context(|| format!("cannot read {}", place.display()))?;
        ensure!(is_package(&bytes), "{} is neither a directory nor a package (.deb, .rpm)", place.display());
        files.add_package(&bytes).with_context(|| format!("{} is malformed", place.display()))?;
        Ok(files)
    }

    /// The kernels and modules in a package.
    ///
    /// # Errors
    ///
    /// It is malformed.
    pub(super) fn of_package(bytes: &[u8]) -> Result<Self> {
        let mut files = Self::default();
        files.add_package(bytes)?;
        Ok(files)
    }

    fn add_directory(&mut self, place: &Path, prefix: &str, depth: usize) -> Result<()> {
        let entries = fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // A link to a directory is not followed: `lib/modules/VERSION/build` leads to a source tree.
            let kind = entry.file_type()?;
            if kind.is_dir() && depth > 0 {
                self.add_directory(&entry.path(), &format!("{path}/"), depth - 1)?;
            } else if entry.path().is_file() && PACKAGES.iter().any(|ending| path.ends_with(ending)) {
                let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                self.add_package(&bytes).with_context(|| format!("{path} is malformed"))?;
            } else if !kind.is_dir() && is_of_kernel(&path) && entry.path().is_file() {
                self.0.insert(path, Content::At(entry.path()));
            }
        }
        Ok(())
    }

    fn add_package(&mut self, bytes: &[u8]) -> Result<()> {
        for_each_file(bytes, is_of_kernel, &mut |path, bytes| self.keep(path, bytes))
    }

    fn keep(&mut self, path: &str, bytes: Vec<u8>) {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        self.0.insert(path.to_owned(), Content::Bytes(bytes));
    }

    /// Adds those of another place; a file of the same path is replaced.
    pub(super) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The kernels, by their paths.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.paths().filter(|path| is_image(path.rsplit('/').next().unwrap_or_default()))
    }

    /// The modules, by their paths.
    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        self.paths().filter(|path| is_module(path))
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The content of a file, unpacked.
    ///
    /// # Errors
    ///
    /// It is not there, cannot be read, or is damaged.
    pub(super) fn content(&self, path: &str) -> Result<Vec<u8>> {
        let bytes = match self.0.get(path).with_context(|| format!("there is no {path}"))? {
            Content::At(file) => fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
            Content::Bytes(bytes) => bytes.clone(),
        };
        compression::unpack(bytes).with_context(|| path.to_owned())
    }
}

#[cfg(test)]
mod tests;
