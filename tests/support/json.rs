//! JSON (RFC 8259) in one layout: one document, or what is wrong with it.
//!
//! Two documents with the same tokens are the same but for their layout, so a
//! case can hold the readable form of what a program prints in one line.

/// The document with a line for each value of a list and each key.
pub fn lines(text: &[u8]) -> Result<String, String> {
    let mut out = String::new();
    for token in tokens(text)? {
        if ["}", "]"].contains(&token.as_str()) {
            out.push('\n');
        }
        out.push_str(&token);
        if [",", "{", "["].contains(&token.as_str()) {
            out.push('\n');
        }
    }
    out.push('\n');
    Ok(out)
}

fn tokens(text: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(text).map_err(|e| format!("no UTF-8: {e}"))?;
    let mut reader = Reader { text, at: 0, tokens: Vec::new() };
    reader.value(0)?;
    reader.blanks();
    if reader.at == text.len() { Ok(reader.tokens) } else { reader.wrong("more than one document") }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<String>,
}

/// Deeper than any of ours.
const DEPTH: usize = 16;

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<(), String> {
        self.blanks();
        match self.peek() {
            _ if depth > DEPTH => self.wrong("nested too deep"),
            Some(b'{') => self.list(depth, b'{', b'}'),
            Some(b'[') => self.list(depth, b'[', b']'),
            Some(b'"') => self.string(),
            Some(_) => self.word(),
            None => self.wrong("the end, where a value should be"),
        }
    }

    fn list(&mut self, depth: usize, open: u8, close: u8) -> Result<(), String> {
        self.token(open)?;
        self.blanks();
        if self.peek() == Some(close) {
            return self.token(close);
        }
        loop {
            if open == b'{' {
                self.blanks();
                self.string()?;
                self.blanks();
                self.token(b':')?;
            }
            self.value(depth + 1)?;
            self.blanks();
            if self.peek() != Some(b',') {
                return self.token(close);
            }
            self.token(b',')?;
        }
    }

    fn string(&mut self) -> Result<(), String> {
        if self.peek() != Some(b'"') {
            return self.wrong("no string");
        }
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(0..=31) | None => return self.wrong("a string without its end"),
                Some(b'\\') => {
                    let digits = match self.text.as_bytes().get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
                        Some(b'u') => 4,
                        _ => return self.wrong("no such escape"),
                    };
                    let hex = self.text.as_bytes().get(self.at + 2..self.at + 2 + digits);
                    if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                        return self.wrong("no such escape");
                    }
                    self.at += 2 + digits;
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        // U+FFFD may be written as itself.
        self.tokens.push(self.text[start..self.at].replace("\\ufffd", "\u{fffd}"));
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        let number = word.parse::<f64>().is_ok()
            && word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && !(word.len() > 1 && word.starts_with('0') && !word.starts_with("0."));
        if !number && !["true", "false", "null"].contains(&word) {
            return self.wrong("no value");
        }
        self.tokens.push(word.to_owned());
        self.at += end;
        Ok(())
    }

    fn token(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return self.wrong(&format!("`{}` is missing", char::from(byte)));
        }
        self.tokens.push(char::from(byte).to_string());
        self.at += 1;
        Ok(())
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("byte {}: {what}", self.at))
    }
}
