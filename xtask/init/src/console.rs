//! Lines on the console, written a buffer at a time.

use core::fmt::{self, Write};

use crate::system;

/// How each of our lines begins, so that the kernel's own can be told apart.
const MARK: &[u8] = b"@@ ";

/// Text that has not been written yet.
pub(crate) struct Console {
    buffer: [u8; 4096],
    used: usize,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self { buffer: [0; 4096], used: 0 }
    }

    /// A line of its own, on the console at once.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        self.quiet_line(text);
        self.flush();
    }

    /// A line that may wait for others.
    pub(crate) fn quiet_line(&mut self, text: fmt::Arguments<'_>) {
        self.start();
        // Writing to a buffer that is emptied when it is full does not fail.
        let _ = self.write_fmt(text);
        self.end();
    }

    /// Begins a line that is made of several parts.
    pub(crate) fn start(&mut self) {
        self.bytes(MARK);
    }

    /// Ends such a line.
    pub(crate) fn end(&mut self) {
        self.bytes(b"\n");
    }

    pub(crate) fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.used == self.buffer.len() {
                self.flush();
            }
            let length = bytes.len().min(self.buffer.len() - self.used);
            let (now, later) = bytes.split_at(length);
            self.buffer[self.used..self.used + length].copy_from_slice(now);
            self.used += length;
            bytes = later;
        }
    }

    /// Writes what is left. A console that takes nothing loses it: nobody could be told.
    pub(crate) fn flush(&mut self) {
        let mut rest = &self.buffer[..self.used];
        while let Ok(written @ 1..) = system::write_console(rest) {
            rest = &rest[written..];
            if rest.is_empty() {
                break;
            }
        }
        self.used = 0;
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
