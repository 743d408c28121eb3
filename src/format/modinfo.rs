//! The fields of a module as modinfo shows them: the `.modinfo` entries in the
//! file's order, then what else the file has: its build's identity and its signature.

use std::slice;

use super::signature::{Signer, hexadecimal, signature};
use super::text::put;
use crate::large::Large;
use crate::numbers::Numbers;

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// As `license`.
    pub key: &'a [u8],
    /// As `GPL`.
    pub value: &'a [u8],
}

/// How many bytes stand on a line.
const LINE: usize = 20;

/// What a module's file says beside its `.modinfo`, in words.
#[derive(Default)]
pub struct Extra {
    text: Large<u8>,
    /// What each part of the text is, and where that ends.
    parts: Large<(&'static [u8], usize)>,
}

impl Extra {
    /// Adds what identifies the build that the module is of, if that is known.
    pub fn add_build(&mut self, id: Option<&[u8]>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.add_hexadecimal(b"build-id", id);
        }
    }

    /// Adds the signature at the end of `image`, if there is one.
    pub fn add_signature(&mut self, image: &[u8]) {
        let Some(signature) = signature(image) else { return };
        self.add(b"sig_id", signature.kind.as_bytes());
        let unread = Signer::default();
        let signers = &*signature.signers;
        for signer in if signers.is_empty() { slice::from_ref(&unread) } else { signers } {
            self.add(b"signer", signer.name.as_bytes());
            self.add_hexadecimal(b"sig_key", signer.key);
            self.add(b"sig_hashalgo", signer.digest.name().as_bytes());
            self.add_hexadecimal(b"signature", signer.bytes);
        }
    }

    fn add(&mut self, key: &'static [u8], value: &[u8]) {
        self.text.0.extend_from_slice(value);
        self.parts.0.push((key, self.text.len()));
    }

    fn add_hexadecimal(&mut self, key: &'static [u8], bytes: &[u8]) {
        for (at, line) in bytes.chunks(LINE).enumerate() {
            if at > 0 {
                self.text.0.extend_from_slice(b":\n\t\t");
            }
            hexadecimal(line, &mut self.text.0);
        }
        self.parts.0.push((key, self.text.len()));
    }

    /// Its fields.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let mut start = 0;
        self.parts.iter().map(move |(key, end)| {
            let value = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            Field { key, value }
        })
    }
}

/// A parameter, as far as a module tells.
pub struct Parameter<'a> {
    name: &'a [u8],
    description: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl Parameter<'_> {
    /// Puts name, description and type behind what `text` has. A type without a
    /// description stands in its place; `alone`, where only parameters are shown, it
    /// stays in parentheses.
    pub fn write(&self, alone: bool, text: &mut Vec<u8>) {
        let (words, kind) = match (self.description, self.kind) {
            (None, Some(kind)) if !alone => (kind, None),
            (words, kind) => (words.unwrap_or_default(), kind),
        };
        let (open, kind, close): (&[u8], &[u8], &[u8]) = match kind {
            Some(kind) => (b" (", kind, b")"),
            None => Default::default(),
        };
        put(text, &[self.name, b":", words, open, kind, close]);
    }
}

/// The parameters among `fields`, each with its description and its type, the last
/// first: the compiler puts them into the file from last to first.
pub fn parameters<'a>(fields: &[Field<'a>]) -> Large<Parameter<'a>> {
    let mut all: Large<Parameter<'a>> = Large::default();
    let mut numbers = Numbers::default();
    for field in fields {
        let is_kind = match field.key {
            b"parm" => false,
            b"parmtype" => true,
            _ => continue,
        };
        let Some(colon) = field.value.iter().position(|&c| c == b':') else { continue };
        let (name, text) = (field.value.get(..colon), field.value.get(colon + 1..));
        let name = name.unwrap_or_default();
        let is_it =
            |at: usize| all.get(at).is_some_and(|parameter: &Parameter<'_>| parameter.name == name);
        let number = numbers.find_or_add(name, all.len(), &is_it);
        if number == all.len() {
            all.0.push(Parameter { name, description: None, kind: None });
        }
        if let Some(parameter) = all.0.get_mut(number) {
            *(if is_kind { &mut parameter.kind } else { &mut parameter.description }) = text;
        }
    }
    all.0.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(key: &'a str, value: &'a str) -> Field<'a> {
        Field { key: key.as_bytes(), value: value.as_bytes() }
    }

    #[test]
    fn parameters_have_their_types_and_stand_in_source_order() {
        let fields = [
            field("parm", "b:second"),
            field("parmtype", "b:int"),
            field("license", "GPL"),
            field("parmtype", "c:bool"),
            field("parm", "a:first: of all"),
            field("parm", "junk"),
        ];
        let shown = |alone: bool| -> Vec<String> {
            let show = |parameter: &Parameter<'_>| {
                let mut text = Vec::new();
                parameter.write(alone, &mut text);
                String::from_utf8(text).unwrap()
            };
            parameters(&fields).iter().map(show).collect()
        };
        assert_eq!(shown(false), ["a:first: of all", "c:bool", "b:second (int)"]);
        assert_eq!(shown(true), ["a:first: of all", "c: (bool)", "b:second (int)"]);
    }

    /// It would take minutes if each were looked for among all.
    #[test]
    fn a_hundred_thousand_parameters_are_each_found() {
        let texts: Vec<String> = (0..100_000).map(|number| format!("p{number}:int")).collect();
        let kinds = texts.iter().map(|text| field("parmtype", text));
        let fields: Vec<_> = kinds.chain(texts.iter().map(|text| field("parm", text))).collect();
        let parameters = parameters(&fields);
        assert_eq!(parameters.len(), texts.len());
        assert!(parameters.iter().all(|one| one.kind.is_some() && one.description == one.kind));
    }
}
