//! A second reading of the same tables: the facts about devices in `iasl`'s disassembly, as lines.

/// Facts about one device, or the device itself: `\_SB.PCI0 _BBN 0`.
pub(crate) fn facts(dsl: &str) -> Vec<String> {
    let tokens = tokens(dsl);
    let mut reader = Reader { tokens: &tokens, at: 0, scopes: Vec::new(), facts: Vec::new() };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.facts
}

/// Objects that the AML reader knows.
const KNOWN: [&str; 9] = ["_HID", "_CID", "_UID", "_ADR", "_BBN", "_SEG", "_CCA", "_STA", "_CRS"];

fn tokens(dsl: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut letters = dsl.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut token = String::from(letter);
        match letter {
            '"' => {
                for letter in letters.by_ref() {
                    token.push(letter);
                    if letter == '"' {
                        break;
                    }
                }
            }
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '\\' | '^' => {
                while let Some(letter) = letters.next_if(|l| l.is_ascii_alphanumeric() || "_.^".contains(*l))
                {
                    token.push(letter);
                }
            }
            _ if letter.is_whitespace() => continue,
            _ => {}
        }
        tokens.push(token);
    }
    tokens
}

struct Reader<'t> {
    tokens: &'t [String],
    at: usize,
    /// For each open brace, whether it is a device's, and the path.
    scopes: Vec<(bool, String)>,
    facts: Vec<String>,
}

impl Reader<'_> {
    fn next(&mut self) -> &str {
        self.at += 1;
        self.tokens.get(self.at - 1).map_or("", String::as_str)
    }

    fn skip_block(&mut self, open: &str, close: &str) {
        while self.next() != open {}
        let mut depth = 1;
        while depth > 0 {
            let token = self.next();
            depth = if token == open {
                depth + 1
            } else if token == close {
                depth - 1
            } else {
                depth
            };
        }
    }

    fn path(&self, name: &str) -> String {
        let parent = self.scopes.last().map_or("\\", |(_, path)| path);
        if name.starts_with('\\') {
            return String::from(name);
        }
        format!("{parent}{}{name}", if parent == "\\" { "" } else { "." })
    }

    fn step(&mut self) {
        let token = String::from(self.next());
        match token.as_str() {
            "Scope" | "Device" => {
                self.next();
                let name = String::from(self.next());
                let path = self.path(&name);
                if token == "Device" {
                    self.facts.push(path.clone());
                }
                while self.next() != "{" {}
                self.scopes.push((token == "Device", path));
            }
            "DefinitionBlock" => {
                while self.next() != "{" {}
                self.scopes.push((false, String::from("\\")));
            }
            "Method" => {
                self.next();
                let name = String::from(self.next());
                if KNOWN.contains(&name.as_str()) {
                    let path = self.path("");
                    self.facts.push(format!("{} {name} method", path.trim_end_matches('.')));
                }
                self.skip_block("{", "}");
            }
            "Name" => self.name(),
            "Field" => self.skip_block("{", "}"),
            "}" => {
                self.scopes.pop();
            }
            _ => {}
        }
    }

    fn name(&mut self) {
        self.next();
        let name = String::from(self.next());
        let (device, path) = self.scopes.last().cloned().unwrap_or_default();
        self.next();
        if device && KNOWN.contains(&name.as_str()) {
            if self.tokens[self.at] == "ResourceTemplate" {
                self.facts.push(format!("{path} _CRS"));
                self.at += 4;
                while self.tokens[self.at] != "}" {
                    let resource = self.resource();
                    self.facts.push(format!("{path} _CRS {resource}"));
                }
            } else {
                let mut value = String::from(self.next());
                if value == "EisaId" {
                    self.next();
                    value = String::from(self.next());
                    self.next();
                }
                self.facts.push(format!("{path} {name} {}", number(&value).map_or(value, |n| n.to_string())));
            }
        }
        let mut depth = 1;
        while depth > 0 {
            let token = self.next();
            depth = if token == "(" {
                depth + 1
            } else if token == ")" {
                depth - 1
            } else {
                depth
            };
        }
    }

    /// One macro of a template, in the words of `iasl::resource`.
    fn resource(&mut self) -> String {
        let kind = String::from(self.next());
        self.next();
        let mut words = vec![String::new()];
        loop {
            match self.next() {
                ")" => break,
                "," => words.push(String::new()),
                word => *words.last_mut().unwrap() = String::from(word),
            }
        }
        let mut list = Vec::new();
        if self.tokens[self.at] == "{" {
            self.next();
            loop {
                match self.next() {
                    "}" => break,
                    "," => {}
                    word => list.push(number(word).unwrap()),
                }
            }
        }
        let has = |word: &str| words.iter().any(|own| own == word);
        let numbers: Vec<u64> = words.iter().filter_map(|word| number(word)).collect();
        let producer = if has("ResourceProducer") { "producer" } else { "consumer" };
        let fixed = format!("{} {}", has("MinFixed"), has("MaxFixed"));
        let writable = if has("ReadWrite") { "rw" } else { "ro" };
        match kind.as_str() {
            "Memory32Fixed" => format!("memory {:#x} {:#x} {writable}", numbers[0], numbers[1]),
            "Interrupt" => {
                format!("interrupt {} {} {} {list:?}", has("Edge"), has("ActiveLow"), has("Shared"))
            }
            _ => {
                let space = match &kind[kind.find("Word").unwrap() + 4..] {
                    "Memory" => format!("memory {} {writable}", words[4]),
                    "IO" => String::from("io"),
                    "BusNumber" => String::from("bus"),
                    other => panic!("{other}"),
                };
                let [_, min, max, translation, length] = numbers[..] else { panic!("{words:?}") };
                assert_eq!(length, max - min + 1);
                format!("space {space} {producer} {fixed} {min:#x} {max:#x} {translation:#x}")
            }
        }
    }
}

fn number(word: &str) -> Option<u64> {
    match word {
        "Zero" => Some(0),
        "One" => Some(1),
        "Ones" => Some(u64::MAX),
        _ => u64::from_str_radix(word.strip_prefix("0x")?, 16).ok(),
    }
}
