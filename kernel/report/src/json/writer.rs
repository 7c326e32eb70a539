//! Writes fields of JSON objects, compactly and in the order of the calls.
//!
//! An emulator translates each instruction of a boot once, and most of them run once, so the size of the code is what
//! counts: one call a field. (`serde_json` writes the same text with three times the code.)

use alloc::string::String;

use serde::Serialize;

/// A JSON text in the making.
pub(crate) struct Writer {
    text: String,
}

/// Digits of the largest number.
const DIGITS: usize = 20;

/// Room for the report of a small machine, in bytes; a longer text is copied while it grows.
const USUAL_LENGTH: usize = 32 << 10;

impl Writer {
    /// The object whose fields `write` writes.
    pub(crate) fn object(write: impl FnOnce(&mut Self)) -> String {
        let mut writer = Self { text: String::with_capacity(USUAL_LENGTH) };
        writer.braced(write);
        writer.text
    }

    fn braced(&mut self, write: impl FnOnce(&mut Self)) {
        self.begin("{");
        write(self);
        self.add("}");
    }

    /// Begins a value or a name; behind another one there is a comma.
    #[inline(never)]
    fn begin(&mut self, first: &str) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.add(",");
        }
        self.add(first);
    }

    #[inline(never)]
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes the name of a field, which contains nothing to escape.
    #[inline(never)]
    fn name(&mut self, name: &str) {
        self.begin("\"");
        self.add(name);
        self.add("\":");
    }

    /// Writes a string (RFC 8259, section 7).
    #[inline(never)]
    fn string(&mut self, text: &str) {
        self.begin("\"");
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            let (plain, from) = rest.split_at(at);
            self.add(plain);
            self.escape(from.as_bytes()[0]);
            rest = &from[1..];
        }
        self.add(rest);
        self.add("\"");
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                self.add("\\u00");
                self.text.push(char::from(b'0' + (byte >> 4)));
                self.text.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
                return;
            }
        };
        self.text.push('\\');
        self.text.push(char::from(short));
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    /// `null`, if there is no value.
    #[inline(never)]
    pub(crate) fn text_or_null(&mut self, name: &str, value: Option<&String>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.word(name, "null"),
        }
    }

    /// No field, if there is no value.
    #[inline(never)]
    pub(crate) fn text_if_some(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    #[inline(never)]
    fn word(&mut self, name: &str, word: &str) {
        self.name(name);
        self.add(word);
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.word(name, if value { "true" } else { "false" });
    }

    /// No field, if it is not set.
    pub(crate) fn flag_if_set(&mut self, name: &str, value: bool) {
        if value {
            self.flag(name, value);
        }
    }

    #[inline(never)]
    pub(crate) fn number(&mut self, name: &str, mut number: u64) {
        let mut digits = [0; DIGITS];
        let mut first = DIGITS;
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.word(name, str::from_utf8(&digits[first..]).unwrap_or_default());
    }

    /// `null`, if there is no value.
    pub(crate) fn number_or_null(&mut self, name: &str, number: Option<u64>) {
        match number {
            Some(number) => self.number(name, number),
            None => self.word(name, "null"),
        }
    }

    #[inline(never)]
    pub(crate) fn texts(&mut self, name: &str, values: &[String]) {
        self.begin_list(name);
        for value in values {
            self.string(value);
        }
        self.add("]");
    }

    /// No field, if there are no values.
    #[inline(never)]
    pub(crate) fn texts_if_any(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.texts(name, values);
        }
    }

    #[inline(never)]
    fn begin_list(&mut self, name: &str) {
        self.name(name);
        self.add("[");
    }

    /// A list of objects.
    pub(crate) fn list<T>(&mut self, name: &str, values: &[T], write: impl Fn(&mut Self, &T)) {
        self.begin_list(name);
        for value in values {
            self.braced(|writer| write(writer, value));
        }
        self.add("]");
    }

    pub(crate) fn inner<T>(&mut self, name: &str, value: &T, write: impl Fn(&mut Self, &T)) {
        self.name(name);
        self.braced(|writer| write(writer, value));
    }

    /// A value of a type that few reports contain, through `serde_json`; no field, if there is none.
    ///
    /// # Panics
    ///
    /// The type cannot be written as JSON.
    pub(crate) fn rare(&mut self, name: &str, value: Option<&impl Serialize>) {
        if let Some(value) = value {
            let text = serde_json::to_string(value).expect("the types of the report can be written as JSON");
            self.word(name, &text);
        }
    }
}
