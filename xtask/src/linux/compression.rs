//! Compressed bytes; the format is recognised by the first bytes.

use std::io::{Read, Take};

use anyhow::{Context, Result, ensure};

/// Largest content that is unpacked: four times Debian's largest kernel package.
const LIMIT: u64 = 2 << 30;

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Formats that kernels are also packed with, and that are not supported here.
const OTHERS: [(&[u8], &str); 4] = [
    (b"BZh", "bzip2"),
    (&[0x02, 0x21, 0x4c, 0x18], "lz4"),
    (&[0x89, b'L', b'Z', b'O'], "lzo"),
    (&[0x5d, 0, 0], "lzma"),
];

/// The plain bytes; bytes that are not compressed are returned as they are.
///
/// # Errors
///
/// The format is not supported, or the bytes are damaged.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if ![GZIP, XZ, ZSTD].iter().any(|magic| bytes.starts_with(magic)) {
        if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            anyhow::bail!("compressed with {name}, which is not supported; gzip, xz and zstd are");
        }
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    reader(&bytes)?.read_to_end(&mut plain).context("damaged compressed data")?;
    ensure!(plain.len() as u64 <= LIMIT, "more than {} GiB when it is unpacked", LIMIT >> 30);
    Ok(plain)
}

/// The plain bytes as a stream, with a limit.
///
/// # Errors
///
/// The header of the format is damaged.
pub(super) fn reader<'a>(bytes: &'a [u8]) -> Result<Take<Box<dyn Read + 'a>>> {
    let plain: Box<dyn Read + 'a> = if bytes.starts_with(GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(bytes))
    } else if bytes.starts_with(XZ) {
        Box::new(lzma_rust2::XzReader::new(bytes, true))
    } else if bytes.starts_with(ZSTD) {
        Box::new(ruzstd::decoding::StreamingDecoder::new(bytes).context("damaged zstd data")?)
    } else {
        Box::new(bytes)
    };
    Ok(plain.take(LIMIT + 1))
}
