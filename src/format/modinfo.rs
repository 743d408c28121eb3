//! The fields of a module as modinfo shows them: the `.modinfo` entries in the
//! file's order, then those of its signature.

use super::signature::{hexadecimal, signature};
use super::text::put;
use crate::large::Large;

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// As `license`.
    pub key: &'a [u8],
    /// As `GPL`.
    pub value: &'a [u8],
}

/// How many bytes of a signature stand on a line.
const SIGNATURE_LINE: usize = 20;

/// What a module's signature says, in words.
pub struct Signed {
    signer: String,
    digest: &'static str,
    /// The number of the key, then the signature.
    hexadecimal: Large<u8>,
    /// Where that starts.
    start: usize,
}

impl Signed {
    /// By the signature at the end of `image`, if there is one that can be read.
    pub fn read(image: &[u8]) -> Option<Self> {
        let signature = signature(image)??;
        let mut text = Large::default();
        hexadecimal(signature.key, &mut text.0);
        let start = text.len();
        for (at, line) in signature.bytes.chunks(SIGNATURE_LINE).enumerate() {
            if at > 0 {
                text.0.extend_from_slice(b":\n\t\t");
            }
            hexadecimal(line, &mut text.0);
        }
        let (signer, digest) = (signature.signer, signature.digest);
        Some(Self { signer, digest, hexadecimal: text, start })
    }

    /// Its fields.
    pub fn fields(&self) -> [Field<'_>; 5] {
        let (key, bytes) = self.hexadecimal.split_at_checked(self.start).unwrap_or_default();
        [
            Field { key: b"sig_id", value: b"PKCS#7" },
            Field { key: b"signer", value: self.signer.as_bytes() },
            Field { key: b"sig_key", value: key },
            Field { key: b"sig_hashalgo", value: self.digest.as_bytes() },
            Field { key: b"signature", value: bytes },
        ]
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
    for field in fields {
        let is_kind = match field.key {
            b"parm" => false,
            b"parmtype" => true,
            _ => continue,
        };
        let Some(colon) = field.value.iter().position(|&c| c == b':') else { continue };
        let (name, text) = (field.value.get(..colon), field.value.get(colon + 1..));
        let name = name.unwrap_or_default();
        if all.iter().all(|parameter| parameter.name != name) {
            all.0.push(Parameter { name, description: None, kind: None });
        }
        if let Some(parameter) = all.0.iter_mut().find(|parameter| parameter.name == name) {
            *(if is_kind { &mut parameter.kind } else { &mut parameter.description }) = text;
        }
    }
    all.0.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_their_types_and_stand_in_source_order() {
        let field = |key: &'static str, value: &'static str| Field {
            key: key.as_bytes(),
            value: value.as_bytes(),
        };
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
}
