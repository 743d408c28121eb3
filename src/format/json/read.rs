//! Bytes to JSON values, RFC 8259.
//!
//! Of a number the whole part is kept: `12.5` and `1.25e1` are 12. The bytes of a
//! string are not held against UTF-8. Values nested deeper than [`DEPTH`] are refused.

use std::fmt;

use super::Json;

/// How deep values may be nested, as each level takes its part of the stack.
const DEPTH: usize = 64;

/// Why bytes are no JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    why: &'static str,
    /// In bytes, from 0.
    offset: usize,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.why, self.offset)
    }
}

impl Json {
    /// The value that `text` holds. An object is a [`Json::Map`].
    pub fn read(text: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader { text, rest: text };
        let value = reader.value(0)?;
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.broken("more than one value")),
        }
    }
}

struct Reader<'t> {
    text: &'t [u8],
    rest: &'t [u8],
}

impl Reader<'_> {
    fn broken(&self, why: &'static str) -> Broken {
        let why = if self.rest.is_empty() { "it ends" } else { why };
        Broken { why, offset: self.text.len() - self.rest.len() }
    }

    /// The next byte as it stands.
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The first byte behind blanks, which stays.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.rest.first() {
            self.skip(1);
        }
        self.rest.first().copied()
    }

    /// Whether `byte` comes behind blanks; it is taken.
    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.skip(usize::from(found));
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, Broken> {
        if depth > DEPTH {
            return Err(self.broken("nested too deep"));
        }
        match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.items(b'}', |reader| {
                    if reader.peek() != Some(b'"') {
                        return Err(reader.broken("no key"));
                    }
                    let key = reader.string()?;
                    if !reader.takes(b':') {
                        return Err(reader.broken("no colon behind a key"));
                    }
                    members.push((key, reader.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Json::Map(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.items(b']', |reader| {
                    items.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::List(items))
            }
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Json::Bool(true)),
            Some(b'f') => self.word(b"false", Json::Bool(false)),
            Some(b'n') => self.word(b"null", Json::Null),
            _ => Err(self.broken("no value")),
        }
    }

    /// What stands between an opening bracket and `close`, separated by commas.
    fn items(
        &mut self,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.skip(1);
        if self.takes(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.takes(close) {
                return Ok(());
            }
            if !self.takes(b',') {
                return Err(self.broken("no comma"));
            }
        }
    }

    fn word(&mut self, word: &[u8], value: Json) -> Result<Json, Broken> {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                Ok(value)
            }
            None => Err(self.broken("no value")),
        }
    }

    fn digits(&mut self) -> Result<&[u8], Broken> {
        let count = self.rest.iter().take_while(|c| c.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.broken("no digit"));
        }
        let (digits, rest) = self.rest.split_at_checked(count).unwrap_or_default();
        self.rest = rest;
        Ok(digits)
    }

    fn number(&mut self) -> Result<Json, Broken> {
        let negative = self.takes(b'-');
        let mut digits = self.digits()?.to_vec();
        if digits.len() > 1 && digits.first() == Some(&b'0') {
            return Err(self.broken("a number begins with 0"));
        }
        // Where the point is among the digits.
        let mut point = length(&digits);
        if self.rest.first() == Some(&b'.') {
            self.skip(1);
            digits.extend_from_slice(self.digits()?);
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.skip(1);
            let back = self.rest.first() == Some(&b'-');
            if let Some(b'+' | b'-') = self.rest.first() {
                self.skip(1);
            }
            let exponent = self.digits()?;
            let exponent = whole(exponent, length(exponent));
            point = point.saturating_add(if back { -exponent } else { exponent });
        }
        let number = whole(&digits, point);
        Ok(Json::Number(if negative { -number } else { number }))
    }

    fn string(&mut self) -> Result<Vec<u8>, Broken> {
        self.skip(1);
        let mut string = Vec::new();
        loop {
            let plain = self.rest.iter().take_while(|&&c| c >= b' ' && c != b'"' && c != b'\\');
            let (plain, rest) = self.rest.split_at_checked(plain.count()).unwrap_or_default();
            string.extend_from_slice(plain);
            self.rest = rest;
            match self.rest.first() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(string);
                }
                Some(b'\\') => self.escape(&mut string)?,
                _ => return Err(self.broken("a control character in a string")),
            }
        }
    }

    fn escape(&mut self, string: &mut Vec<u8>) -> Result<(), Broken> {
        let broken = self.broken("no such escape");
        self.skip(1);
        string.push(match self.next() {
            Some(c @ (b'"' | b'\\' | b'/')) => c,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let mut unit = self.hex().ok_or(broken)?;
                // Two surrogates are one character, a lonely one is none.
                if unit & 0xfc00 == 0xd800 && self.rest.starts_with(b"\\u") {
                    let before = self.rest;
                    self.skip(2);
                    match self.hex() {
                        Some(low) if low & 0xfc00 == 0xdc00 => {
                            unit = 0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
                        }
                        _ => self.rest = before,
                    }
                }
                let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                string.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(broken),
        });
        Ok(())
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(value)
    }
}

fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

/// What the first `point` of `digits` say, with zeros behind them where they are
/// fewer.
fn whole(digits: &[u8], point: i64) -> i64 {
    let mut value = 0i64;
    let mut digits = digits.iter();
    let mut left = point;
    while left > 0 && value < i64::MAX {
        value = match digits.next() {
            Some(digit) => value.saturating_mul(10).saturating_add(i64::from(digit - b'0')),
            None if value == 0 => break,
            None => value.saturating_mul(10),
        };
        left -= 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, as it is written.
    fn read(text: &str) -> String {
        match Json::read(text.as_bytes()) {
            Ok(value) => value.document().trim().replace('\n', ""),
            Err(broken) => broken.to_string(),
        }
    }

    #[test]
    fn values_are_read() {
        for (text, wanted) in [
            (" null ", "null"),
            ("[true,false]", "[true,false]"),
            ("[ ]", "[]"),
            ("{}", "{}"),
            (r#"{"a":{"b" : [1, "x"]},"c":null}"#, r#"{"a": {"b": [1, "x"]},"c": null}"#),
            (r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\u0008\u000c\n\u000d\t""#),
            (r#""\u00e4\ud83d\ude00""#, "\"\u{e4}\u{1f600}\""),
            (r#""\ud83dx\ud83d\u0041\udc00""#, "\"\u{fffd}x\u{fffd}A\u{fffd}\""),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_whole_part() {
        for (text, wanted) in [
            ("0", 0),
            ("-0", 0),
            ("12.5", 12),
            ("-12.5", -12),
            ("1.25e1", 12),
            ("1.25E+6", 1_250_000),
            ("125e-1", 12),
            ("1e-99999999999999999999", 0),
            ("0e99999999999999999999", 0),
            ("1e30", i64::MAX),
            ("-1e99999999999999999999", -i64::MAX),
            ("0.00012e+5", 12),
            ("-99999999999999999999", -i64::MAX),
            ("9223372036854775807", i64::MAX),
        ] {
            let value = Json::read(text.as_bytes()).unwrap();
            assert_eq!(value.number(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_told_with_its_place() {
        for (text, wanted) in [
            ("", "it ends at byte 0"),
            ("[1", "it ends at byte 2"),
            ("[1 2]", "no comma at byte 3"),
            ("[1,]", "no value at byte 3"),
            ("{\"a\" 1}", "no colon behind a key at byte 5"),
            ("{a:1}", "no key at byte 1"),
            ("{\"a\":1,}", "no key at byte 7"),
            ("nul", "no value at byte 0"),
            ("1 2", "more than one value at byte 2"),
            ("-x", "no digit at byte 1"),
            ("1.,", "no digit at byte 2"),
            ("1e", "it ends at byte 2"),
            ("{", "it ends at byte 1"),
            ("01,", "a number begins with 0 at byte 2"),
            ("\"a", "it ends at byte 2"),
            ("\"a\n\"", "a control character in a string at byte 2"),
            ("\"\\x\"", "no such escape at byte 1"),
            ("\"\\u12g4\"", "no such escape at byte 1"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::read(deep(DEPTH).as_bytes()).is_ok());
        assert!(read(&deep(100_000)).starts_with("nested too deep"));
    }

    #[test]
    fn no_bytes_panic() {
        let text = br#"{"a": [1, -2.5e3, "x\u00e4\ud83d\ude00\n", true, null], "b": {"c": []}}"#;
        for end in 0..text.len() {
            assert!(Json::read(&text[..end]).is_err());
            for byte in [0, b'"', b'\\', b'{', b'9', 0xff] {
                let mut text = text.to_vec();
                text[end] = byte;
                let _ = Json::read(&text);
            }
        }
    }
}
