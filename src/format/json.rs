//! JSON, RFC 8259, for those who would otherwise parse lines.
//!
//! Bytes that are no UTF-8 become U+FFFD, as JSON has no way to hold them.
use crate::collect::Collect;

mod read;

/// A JSON value. Keys stand in the order in which they are given.
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A string.
    Text(Vec<u8>),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(&'static str, Json)>),
    /// An object with keys from somewhere else.
    Map(Vec<(Vec<u8>, Json)>),
}

impl Json {
    /// A string of what `text` holds.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().to_vec())
    }

    /// Whether it is an empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// An array of strings.
    pub fn texts<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).vec())
    }

    /// What an object that was read holds for `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value)
    }

    /// The number that it is.
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The bytes of the string that it is.
    pub fn as_text(&self) -> Option<&[u8]> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The elements of the array that it is.
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The document, with a line for each element of the outermost value.
    pub fn document(&self) -> String {
        let mut out = String::new();
        match self {
            Self::List(items) => list(&mut out, "[\n", "\n]", ",\n", items, Self::write),
            Self::Object(members) => list(&mut out, "{\n", "\n}", ",\n", members, member),
            Self::Map(members) => list(&mut out, "{\n", "\n}", ",\n", members, entry),
            other => other.write(&mut out),
        }
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => string(out, &String::from_utf8_lossy(text)),
            Self::List(items) => list(out, "[", "]", ", ", items, Self::write),
            Self::Object(members) => list(out, "{", "}", ", ", members, member),
            Self::Map(members) => list(out, "{", "}", ", ", members, entry),
        }
    }
}

fn member((key, value): &(&'static str, Json), out: &mut String) {
    string(out, key);
    out.push_str(": ");
    value.write(out);
}

fn entry((key, value): &(Vec<u8>, Json), out: &mut String) {
    string(out, &String::from_utf8_lossy(key));
    out.push_str(": ");
    value.write(out);
}

fn list<T>(
    out: &mut String,
    open: &str,
    close: &str,
    between: &str,
    items: &[T],
    write: fn(&T, &mut String),
) {
    out.push_str(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        write(item, out);
    }
    out.push_str(close);
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_json() {
        let object = Json::Object(vec![
            ("name", Json::text("a\"b\\c\n\u{1}\u{e4}")),
            ("size", Json::Number(-3)),
            ("none", Json::Null),
            ("list", Json::texts(["x", "y"])),
            ("bytes", Json::text(b"\xff")),
        ]);
        assert_eq!(
            Json::List(vec![object, Json::List(vec![])]).document(),
            "[\n{\"name\": \"a\\\"b\\\\c\\n\\u0001\u{e4}\", \"size\": -3, \"none\": null, \
             \"list\": [\"x\", \"y\"], \"bytes\": \"\u{fffd}\"},\n[]\n]\n"
        );
    }
}
