//! Which kernel a depmod.d line is for: `*`, or a POSIX extended regular expression
//! (`regex(7)`) that matches anywhere in the release.
//!
//! The expression is followed with the set of all places in the release that have
//! been reached. The C library's own has the size of half a file system driver.
//!
//! Without backward references and collations, which no release needs. What is no
//! expression, means nothing for POSIX, or takes more steps than [`STEPS`], as repetitions of
//! repetitions do, matches nothing.

use std::cell::Cell;

use crate::collect::Collect;
use crate::name::held;

/// For each place in the release, from before its first character to behind its
/// last, whether the expression may have got there.
type Places = Vec<bool>;

/// The largest number of a repetition (`RE_DUP_MAX`).
const MOST: usize = 255;

/// Deeper groups than anyone writes.
const DEPTH: usize = 64;

/// More steps than an expression takes that anyone writes.
const STEPS: usize = 4096;

/// Whether `pattern` means the kernel `release`.
pub fn matches(pattern: &[u8], release: &[u8]) -> bool {
    if pattern == b"*" {
        return true;
    }
    let matcher = Matcher { release, left: Cell::new(STEPS) };
    match matcher.alternatives(pattern, &vec![true; release.len() + 1], 0) {
        Some((places, [])) => places.contains(&true),
        _ => false,
    }
}

struct Matcher<'a> {
    release: &'a [u8],
    /// How many steps there may still be.
    left: Cell<usize>,
}

/// What follows each part of an expression: where it may lead, and the rest of the
/// expression. `None` where it is no expression.
impl Matcher<'_> {
    /// `branch|branch…` up to a `)` or the end.
    fn alternatives<'p>(
        &self,
        mut pattern: &'p [u8],
        from: &Places,
        depth: usize,
    ) -> Option<(Places, &'p [u8])> {
        let mut to = vec![false; from.len()];
        loop {
            let (branch, rest) = self.branch(pattern, from, depth)?;
            union(&mut to, &branch);
            match rest {
                [b'|', rest @ ..] => pattern = rest,
                rest => return Some((to, rest)),
            }
        }
    }

    fn branch<'p>(
        &self,
        mut pattern: &'p [u8],
        from: &Places,
        depth: usize,
    ) -> Option<(Places, &'p [u8])> {
        let mut places = from.clone();
        while !matches!(pattern, [] | [b'|' | b')', ..]) {
            (places, pattern) = self.piece(pattern, &places, depth)?;
        }
        Some((places, pattern))
    }

    /// An atom and how often it stands there.
    fn piece<'p>(
        &self,
        pattern: &'p [u8],
        from: &Places,
        depth: usize,
    ) -> Option<(Places, &'p [u8])> {
        let (places, rest) = self.atom(pattern, from, depth)?;
        let Some((least, most, rest)) = repetition(rest)? else { return Some((places, rest)) };
        let mut reached = vec![false; from.len()];
        let mut round = from.clone();
        for count in 0.. {
            if count >= least {
                let known = reached.clone();
                union(&mut reached, &round);
                if known == reached || most == Some(count) {
                    break;
                }
            }
            round = self.atom(pattern, &round, depth)?.0;
        }
        Some((reached, rest))
    }

    fn atom<'p>(
        &self,
        pattern: &'p [u8],
        from: &Places,
        depth: usize,
    ) -> Option<(Places, &'p [u8])> {
        self.left.set(self.left.get().checked_sub(1)?);
        let end = self.release.len();
        let only = |at: usize| from.iter().enumerate().map(|(i, &b)| b && i == at).vec();
        Some(match pattern {
            [b'(', rest @ ..] if depth < DEPTH => {
                match self.alternatives(rest, from, depth + 1)? {
                    (to, [b')', rest @ ..]) => (to, rest),
                    _ => return None,
                }
            }
            [b'^', rest @ ..] => (only(0), rest),
            [b'$', rest @ ..] => (only(end), rest),
            [b'.', rest @ ..] => (self.step(from, |_| true), rest),
            [b'[', rest @ ..] => {
                let (negated, list) = match rest {
                    [b'^', list @ ..] => (true, list),
                    list => (false, list),
                };
                let (_, rest) = held(list, 0)?;
                let holds = |c| held(list, c).is_some_and(|(holds, _)| holds != negated);
                (self.step(from, holds), rest)
            }
            [b'\\', c, rest @ ..] => (self.step(from, |other| other == *c), rest),
            [b'\\' | b'(' | b'*' | b'+' | b'?' | b'{', ..] | [] => return None,
            [c, rest @ ..] => (self.step(from, |other| other == *c), rest),
        })
    }

    /// One character on, where it is one that `holds`.
    fn step(&self, from: &Places, holds: impl Fn(u8) -> bool) -> Places {
        let moved = from.iter().zip(self.release).map(|(&here, &c)| here && holds(c));
        [false].into_iter().chain(moved).vec()
    }
}

fn union(to: &mut Places, from: &Places) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to |= from);
}

/// At least how often, at most how often, and what follows.
type Repetition<'p> = (usize, Option<usize>, &'p [u8]);

/// How often the atom before `pattern` stands there, if that is said.
fn repetition(pattern: &[u8]) -> Option<Option<Repetition<'_>>> {
    Some(match pattern {
        [b'*', rest @ ..] => Some((0, None, rest)),
        [b'+', rest @ ..] => Some((1, None, rest)),
        [b'?', rest @ ..] => Some((0, Some(1), rest)),
        [b'{', rest @ ..] => {
            let end = rest.iter().position(|&c| c == b'}')?;
            let (bounds, rest) =
                (std::str::from_utf8(rest.get(..end)?).ok()?, rest.get(end + 1..)?);
            let number = |text: &str| text.parse().ok().filter(|number| *number <= MOST);
            let (least, most) = match bounds.split_once(',') {
                None => (number(bounds)?, Some(number(bounds)?)),
                Some((least, "")) => (number(least)?, None),
                Some((least, most)) => (number(least)?, Some(number(most)?)),
            };
            Some((least, most, rest)).filter(|_| most.is_none_or(|most| most >= least))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn repetitions_of_repetitions_end() {
        let nested = format!("{}6{}", "(".repeat(60), "{255})".repeat(60));
        assert!(!matches(nested.as_bytes(), b"6.1"));
    }

    #[test]
    fn expressions_are_those_of_regcomp() {
        // Each row was asked of glibc's regcomp(3) and regexec(3).
        for (pattern, release, is_match) in [
            ("*", "6.1.0-13-amd64", true),
            ("6.1", "6.1.0-13-amd64", true),
            ("6.1", "5.16.1", true),
            ("^6\\.1\\.", "5.16.1", false),
            ("amd64$", "6.1.0-13-amd64", true),
            ("^amd64$", "6.1.0-13-amd64", false),
            ("6.1.0-.*-amd64", "6.1.0-13-amd64", true),
            ("^[0-9]+\\.[0-9]+$", "6.1", true),
            ("^[0-9]+\\.[0-9]+$", "6.1.0", false),
            ("^[^6]", "6.1", false),
            ("(5|6)\\.1(0|)", "6.1", true),
            ("^(5|6\\.2)", "6.1", false),
            ("^([0-9]{1,2}\\.){2}[[:digit:]]", "6.12.3", true),
            ("^([0-9]{1,2}\\.){3}[[:digit:]]", "6.12.3", false),
            ("^.{3}$", "6.1", true),
            ("^.{4,}$", "6.1", false),
            ("(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
            ("^(.{0,50}){80}$", "6.1", true),
            ("x?", "6.1", true),
            ("(", "6.1", false),
            ("[", "6.1", false),
            ("*6", "6.1", false),
            ("**", "6.1", false),
            ("6{1", "6.1", false),
            ("()6", "6.1", true),
            ("", "6.1", true),
            ("-rt", "6.1-rt1", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), release.as_bytes()),
                is_match,
                "{pattern} ~ {release}"
            );
        }
    }
}
