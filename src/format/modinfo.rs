//! The fields of a module as modinfo shows them: the `.modinfo` entries in the
//! file's order, then those of its signature.

use super::elf::ModuleElf;
use super::signature::{hexadecimal, signature};
use crate::collect::Collect;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As `license`.
    pub key: Vec<u8>,
    /// As `GPL`.
    pub value: Vec<u8>,
}

impl Field {
    fn new(key: &[u8], value: impl Into<Vec<u8>>) -> Self {
        Self { key: key.to_vec(), value: value.into() }
    }
}

/// How many bytes of a signature stand on a line.
const SIGNATURE_LINE: usize = 20;

/// All fields of the module `elf`, whose file's uncompressed content is `image`.
pub fn fields(elf: &ModuleElf<'_>, image: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = elf.modinfo().map(|(key, value)| Field::new(key, value)).vec();
    if let Some(Some(signature)) = signature(image) {
        let lines = signature.bytes.chunks(SIGNATURE_LINE).map(hexadecimal);
        fields.push(Field::new(b"sig_id", "PKCS#7"));
        fields.push(Field::new(b"signer", signature.signer));
        fields.push(Field::new(b"sig_key", hexadecimal(signature.key)));
        fields.push(Field::new(b"sig_hashalgo", signature.digest));
        let text = lines.vec().join(":\n\t\t");
        fields.push(Field::new(b"signature", text));
    }
    fields
}

/// The parameters among `fields`, each with its description and its type, the last
/// first: the compiler puts them into the file from last to first.
///
/// A type without a description stands in its place; `alone`, where only parameters
/// are shown, it stays in parentheses.
pub fn parameters(fields: &[Field], alone: bool) -> Vec<Vec<u8>> {
    struct Parameter<'a> {
        name: &'a [u8],
        description: Option<&'a [u8]>,
        kind: Option<&'a [u8]>,
    }
    let mut all: Vec<Parameter<'_>> = Vec::new();
    for field in fields {
        let is_kind = match field.key.as_slice() {
            b"parm" => false,
            b"parmtype" => true,
            _ => continue,
        };
        let Some(colon) = field.value.iter().position(|&c| c == b':') else { continue };
        let (name, text) = (field.value.get(..colon), field.value.get(colon + 1..));
        let name = name.unwrap_or_default();
        if all.iter().all(|parameter| parameter.name != name) {
            all.push(Parameter { name, description: None, kind: None });
        }
        if let Some(parameter) = all.iter_mut().find(|parameter| parameter.name == name) {
            *(if is_kind { &mut parameter.kind } else { &mut parameter.description }) = text;
        }
    }
    let show = |parameter: &Parameter<'_>| match (parameter.description, parameter.kind) {
        (None, Some(kind)) if alone => [parameter.name, b": (", kind, b")"].concat(),
        (Some(text), Some(kind)) => [parameter.name, b":", text, b" (", kind, b")"].concat(),
        (text, kind) => [parameter.name, b":", text.or(kind).unwrap_or_default()].concat(),
    };
    all.iter().rev().map(show).vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_their_types_and_stand_in_source_order() {
        let field = |key: &str, value: &str| Field::new(key.as_bytes(), value);
        let fields = [
            field("parm", "b:second"),
            field("parmtype", "b:int"),
            field("license", "GPL"),
            field("parmtype", "c:bool"),
            field("parm", "a:first: of all"),
            field("parm", "junk"),
        ];
        let rest = [&b"c:bool"[..], b"b:second (int)"];
        assert_eq!(parameters(&fields, false), [&[&b"a:first: of all"[..]], &rest[..]].concat());
        assert_eq!(parameters(&fields, true)[1], b"c: (bool)");
    }
}
