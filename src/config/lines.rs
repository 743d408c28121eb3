//! The lines of a configuration file: `\` before a line's end joins the next line,
//! before anything else it is dropped.

/// The lines of `text`, their continuations joined, each with the number of its last
/// physical line, from 1 on.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    Lines { rest: text, number: 0 }
}

struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl Iterator for Lines<'_> {
    type Item = (usize, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut line = Vec::new();
        self.number += 1;
        while let [c, rest @ ..] = self.rest {
            self.rest = rest;
            match (c, rest) {
                (b'\n', _) => break,
                (b'\\', [b'\n', rest @ ..]) => {
                    self.rest = rest;
                    self.number += 1;
                }
                (b'\\', [quoted, rest @ ..]) => {
                    self.rest = rest;
                    line.push(*quoted);
                }
                (b'\\', []) => {}
                (c, _) => line.push(*c),
            }
        }
        Some((self.number, line))
    }
}
