//! The one grammar of all lists that people write, here or for another tool: modprobe.d,
//! depmod.d, modules-load.d, `/etc/modules`.
//!
//! A line ends with LF or CRLF, the last one also with a CR alone or with the file. `\`
//! before a line's end joins the next line, before anything else it is dropped. A comment
//! starts with a sign as the first thing on a line, or behind a blank and outside of
//! quotes. A byte order mark before the first line is no part of it.

/// What is said of a comment that kmod does not take for one.
pub const STRAY: &str = "a comment must start in the first column; ignoring";

/// What editors of other systems put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of `text`, their continuations joined, each with the number of its last
/// physical line, from 1 on.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    Lines { rest: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text), number: 0 }
}

struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl Lines<'_> {
    /// Passes over the end of a line, if there is one here.
    fn is_end(&mut self) -> bool {
        match self.rest {
            [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => self.rest = rest,
            [b'\r'] => self.rest = &[],
            rest => return rest.is_empty(),
        }
        true
    }
}

impl Iterator for Lines<'_> {
    type Item = (usize, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut line = Vec::new();
        self.number += 1;
        while !self.is_end() {
            if let [b'\\', rest @ ..] = self.rest {
                self.rest = rest;
                if self.is_end() {
                    self.number += 1;
                    continue;
                }
            }
            if let [c, rest @ ..] = self.rest {
                self.rest = rest;
                line.push(*c);
            }
        }
        Some((self.number, line))
    }
}

/// Where a comment starts in `text`, of which what is before it is a blank or nothing:
/// one of `signs` behind a blank, outside of quotes.
pub fn comment_in(text: &[u8], signs: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    text.iter().position(|&c| {
        let behind_blank = matches!(before, b' ' | b'\t');
        before = c;
        match quote {
            Some(open) if c == open => quote = None,
            None if c == b'"' || c == b'\'' => quote = Some(c),
            _ => {}
        }
        signs.contains(&c) && behind_blank && quote.is_none()
    })
}

/// `text` without the comment in it.
pub fn without_comment<'a>(text: &'a [u8], signs: &[u8]) -> &'a [u8] {
    let end = comment_in(text, signs).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_any_editor_ends_them() {
        for (text, expected) in [
            ("a\nb\n", &[(1, "a"), (2, "b")][..]),
            ("\u{feff}a\r\n\r\nb\r", &[(1, "a"), (2, ""), (3, "b")]),
            ("a \\\r\n b\\\nc\nd", &[(3, "a  bc"), (4, "d")]),
            ("a\\", &[(2, "a")]),
            ("a\\\r", &[(2, "a")]),
            ("a\\\\\r\n\u{feff}b\rc\\\"", &[(1, "a\\"), (2, "\u{feff}b\rc\"")]),
            ("\r", &[(1, "")]),
            ("\u{feff}", &[]),
        ] {
            let text_of = |(number, line)| (number, String::from_utf8(line).unwrap());
            let found: Vec<_> = lines(text.as_bytes()).map(text_of).collect();
            let expected: Vec<_> = expected.iter().map(|(n, l)| (*n, (*l).to_owned())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn comments_start_behind_a_blank_and_outside_of_quotes() {
        for (text, rest) in [
            ("a # b", "a"),
            ("# b", ""),
            ("\t#b", ""),
            ("a#b", "a#b"),
            ("a \"x # y\" 'z # z'\t;#", "a \"x # y\" 'z # z'"),
        ] {
            assert_eq!(without_comment(text.as_bytes(), b"#;"), rest.as_bytes(), "{text}");
        }
        assert_eq!(without_comment(b"a ; b", b"#"), b"a ; b");
    }
}
