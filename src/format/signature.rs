//! The signature at the end of a module (kernel: `include/linux/
//! module_signature.h`, `kernel/module/signing.c`):
//!
//! ```text
//! module  name  key  signature  u8 algo, hash, id_type, signer_len, key_id_len, pad[3]
//!                               u32 length of the signature, big-endian
//!                               "~Module signature appended~\n"
//! ```
//!
//! Since Linux 4.3 name and key have no bytes, and the signature is a PKCS#7 message in BER
//! (RFC 2315; as CMS, RFC 5652), from which this reads who signed, and with what:
//! `ContentInfo { oid, [0] SignedData { version, digests, content, [0] certificates?,
//! [1] crls?, SET OF SignerInfo { version, issuer and serial number or [0] key identifier,
//! digest, [0] attributes?, algorithm, signature, … } } }`. What can't be read of it hides
//! nothing else.

use std::borrow::Cow;
use std::fmt::Write;

use crate::large::Large;

const MAGIC: &[u8] = b"~Module signature appended~\n";
/// `pkey_id_type` of the kernel, as kmod calls them.
const ID_TYPES: [&str; 3] = ["PGP", "X509", "PKCS#7"];
/// The place of the last of them: `PKEY_ID_PKCS7`.
const PKCS7: u8 = 2;
/// `pkey_hash_algo` of kernels before 4.3 (`include/crypto/hash_info.h`).
const DIGESTS: [&str; 8] = ["md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224"];
/// In place of a digest that can't be read.
const UNKNOWN: &str = "unknown";
/// The object identifier of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const LATIN_1: u8 = 0x14;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` in place of a string's own tag.
const KEY_IDENTIFIER: u8 = 0x80;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
/// How deep elements without a length may be in each other: messages have them 5 deep.
const DEPTH: u8 = 16;

/// A module's signature, as far as it can be read.
pub struct Signature<'a> {
    /// What kind it is: `PKCS#7`.
    pub kind: &'static str,
    /// Who signed: one, as a rule.
    pub signers: Large<Signer<'a>>,
}

/// One of those who signed a module. What can't be read is empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Signer<'a> {
    /// The common name of the key's issuer, or else the last part of its name.
    pub name: String,
    /// The key's serial number, or its identifier.
    pub key: &'a [u8],
    /// The digest that was signed.
    pub digest: Digest<'a>,
    /// The signature itself.
    pub bytes: &'a [u8],
}

/// A digest, as a signature names it.
#[derive(Debug, PartialEq, Eq)]
pub enum Digest<'a> {
    /// A number of [`DIGESTS`].
    Number(u8),
    /// An object identifier, without bytes if it can't be read.
    Object(&'a [u8]),
}

/// How `image` is signed, if it is.
pub fn signature(image: &[u8]) -> Option<Signature<'_>> {
    let trailer = Trailer::read(image)?;
    let kind = ID_TYPES.get(usize::from(trailer.id_type))?;
    let start = image.len().checked_sub(usize::try_from(trailer.length()).ok()?)?;
    let mut rest = image.get(start..)?;
    let mut take = |count: usize| {
        let (taken, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some(taken)
    };
    let (name, key) = (take(trailer.name.into())?, take(trailer.key.into())?);
    let bytes = take(usize::try_from(trailer.signature).ok()?).filter(|all| !all.is_empty())?;
    let mut signers = Large::default();
    if trailer.id_type == PKCS7 {
        let _ = read(bytes, &mut signers);
    } else {
        let name = String::from_utf8_lossy(name).into_owned();
        let digest = Digest::Number(trailer.digest);
        signers.0.push(Signer { name, key, digest, bytes });
    }
    Some(Signature { kind, signers })
}

/// Room for what is behind a module in its file, and says how long a signature is.
pub const FOOTER: u64 = 12 + MAGIC.len() as u64;

/// How many bytes at the end of a file its signature takes, whose last ones, [`FOOTER`],
/// are `end`; none if it has none.
pub fn length(end: &[u8]) -> Option<u64> {
    Some(Trailer::read(end)?.length())
}

/// What stands between a signature and the file's last line.
struct Trailer {
    digest: u8,
    id_type: u8,
    /// How many bytes the signer's name takes, its key, and the signature.
    name: u8,
    key: u8,
    signature: u32,
}

impl Trailer {
    fn read(file: &[u8]) -> Option<Self> {
        let (_, trailer) = file.strip_suffix(MAGIC)?.split_last_chunk::<12>()?;
        let [_, digest, id_type, name, key, _, _, _, length @ ..] = *trailer;
        Some(Self { digest, id_type, name, key, signature: u32::from_be_bytes(length) })
    }

    /// What all takes that is behind the module.
    fn length(&self) -> u64 {
        u64::from(self.signature) + u64::from(self.name) + u64::from(self.key) + FOOTER
    }
}

/// Puts bytes as `0A:1B:…` behind what `text` has.
pub fn hexadecimal(bytes: &[u8], text: &mut Vec<u8>) {
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            text.push(b':');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(if digit < 10 { b'0' + digit } else { b'A' - 10 + digit });
        }
    }
}

/// Reads those who signed from a PKCS#7 message.
fn read<'a>(message: &'a [u8], signers: &mut Large<Signer<'a>>) -> Option<()> {
    let (mut content_info, _) = expect(message, SEQUENCE)?;
    expect_next(&mut content_info, OBJECT_ID)?;
    let (explicit, _) = expect(content_info, CONTEXT_0)?;
    let (mut signed_data, _) = expect(explicit, SEQUENCE)?;
    expect_next(&mut signed_data, INTEGER)?;
    expect_next(&mut signed_data, SET)?;
    expect_next(&mut signed_data, SEQUENCE)?;
    for optional in [CONTEXT_0, CONTEXT_1] {
        let _ = expect_next(&mut signed_data, optional);
    }
    let (mut infos, _) = expect(signed_data, SET)?;
    while let Some(mut info) = expect_next(&mut infos, SEQUENCE) {
        let mut signer = Signer::default();
        let _ = signer.read(&mut info);
        if !signer.key.is_empty() {
            signers.0.push(signer);
        }
    }
    Some(())
}

impl Default for Signer<'_> {
    fn default() -> Self {
        Self { name: String::new(), key: &[], digest: Digest::Object(&[]), bytes: &[] }
    }
}

impl<'a> Signer<'a> {
    /// Reads a `SignerInfo`, up to where it can be read.
    fn read(&mut self, info: &mut &'a [u8]) -> Option<()> {
        expect_next(info, INTEGER)?;
        if let Some(identifier) = expect_next(info, KEY_IDENTIFIER) {
            self.key = identifier;
        } else {
            let mut identity = expect_next(info, SEQUENCE)?;
            if let Some(issuer) = expect_next(&mut identity, SEQUENCE) {
                self.name = name(issuer);
            }
            let serial = expect_next(&mut identity, INTEGER).unwrap_or_default();
            // A number whose first bit is set has a zero in front, for its sign.
            self.key = serial.strip_prefix(&[0]).filter(|key| !key.is_empty()).unwrap_or(serial);
        }
        let algorithm = expect_next(info, SEQUENCE)?;
        self.digest = Digest::Object(expect(algorithm, OBJECT_ID).map_or(&[], |(id, _)| id));
        let _ = expect_next(info, CONTEXT_0);
        expect_next(info, SEQUENCE)?;
        self.bytes = expect_next(info, OCTETS)?;
        Some(())
    }
}

impl Digest<'_> {
    /// What the kernel calls it, or else its object identifier.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::from(match *self {
            Self::Number(number) => DIGESTS.get(usize::from(number)).unwrap_or(&UNKNOWN),
            Self::Object([0x2b, 0x0e, 0x03, 0x02, 0x1a]) => "sha1",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 1]) => "sha256",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 2]) => "sha384",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 3]) => "sha512",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 4]) => "sha224",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 8]) => "sha3-256",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 9]) => "sha3-384",
            Self::Object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 10]) => "sha3-512",
            Self::Object(id) => return dotted(id).map_or(Cow::from(UNKNOWN), Cow::from),
        })
    }
}

/// An object identifier as `1.2.156.10197.1.401` (X.690, 8.19): numbers of seven bits a byte,
/// the first two of them in one.
fn dotted(object_id: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut number = 0u64;
    let mut is_whole = false;
    for byte in object_id {
        number = number.checked_mul(128)? | u64::from(byte & 127);
        is_whole = byte & 128 == 0;
        if !is_whole {
            continue;
        }
        if text.is_empty() {
            let root = (number / 40).min(2);
            let _ = write!(text, "{root}");
            number -= root * 40;
        }
        let _ = write!(text, ".{number}");
        number = 0;
    }
    is_whole.then_some(text)
}

/// The common name of an X.501 name, wherever it is in there, or else its last part.
fn name(mut parts: &[u8]) -> String {
    let mut last = String::new();
    while let Some(mut set) = expect_next(&mut parts, SET) {
        while let Some(mut pair) = expect_next(&mut set, SEQUENCE) {
            let Some(kind) = expect_next(&mut pair, OBJECT_ID) else { continue };
            let Some((tag, bytes, _)) = element(pair) else { continue };
            last = text(tag, bytes);
            if kind == COMMON_NAME {
                return last;
            }
        }
    }
    last
}

/// A string of ASN.1.
fn text(tag: u8, bytes: &[u8]) -> String {
    const NO_CHARACTER: char = char::REPLACEMENT_CHARACTER;
    match tag {
        LATIN_1 => bytes.iter().copied().map(char::from).collect(),
        BMP => {
            let units = bytes
                .chunks_exact(2)
                .map(|unit| u16::from_be_bytes(unit.try_into().unwrap_or_default()));
            char::decode_utf16(units).map(|decoded| decoded.unwrap_or(NO_CHARACTER)).collect()
        }
        UNIVERSAL => {
            let codes = bytes
                .chunks_exact(4)
                .map(|code| u32::from_be_bytes(code.try_into().unwrap_or_default()));
            codes.map(|code| char::from_u32(code).unwrap_or(NO_CHARACTER)).collect()
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Takes the first element off `bytes` if it has this tag.
fn expect_next<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (content, rest) = expect(bytes, tag)?;
    *bytes = rest;
    Some(content)
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element of `bytes`: its tag, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    element_within(bytes, DEPTH)
}

fn element_within(bytes: &[u8], depth: u8) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = bytes else { return None };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // Up to two zeros that are an element of their own.
        0x80 => {
            let depth = depth.checked_sub(1)?;
            let mut inner = rest;
            while !inner.starts_with(&[0, 0]) {
                (_, _, inner) = element_within(inner, depth)?;
            }
            let content = rest.get(..rest.len() - inner.len())?;
            return Some((*tag, content, inner.get(2..)?));
        }
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut out = vec![tag, 0x82];
        out.extend((content.len() as u16).to_be_bytes());
        out.extend(content);
        out
    }

    fn signed() -> Vec<u8> {
        let pair = |oid: &[u8], text: &[u8]| {
            der(SET, &[&der(SEQUENCE, &[&der(OBJECT_ID, &[oid]), &der(0x0c, &[text])])])
        };
        let issuer = der(SEQUENCE, &[&pair(&[0x55, 4, 6], b"XX"), &pair(COMMON_NAME, b"Key")]);
        let identity = der(SEQUENCE, &[&issuer, &der(INTEGER, &[&[0, 0xfa, 0x01]])]);
        let sha256 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        let algorithm = der(SEQUENCE, &[&der(OBJECT_ID, &[&sha256])]);
        let info = der(
            SEQUENCE,
            &[&der(INTEGER, &[&[1]]), &identity, &algorithm, &algorithm, &der(OCTETS, &[b"sig"])],
        );
        let data = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[1]]),
                &der(SET, &[]),
                &der(SEQUENCE, &[]),
                &der(CONTEXT_0, &[b"certificates"]),
                &der(SET, &[&info]),
            ],
        );
        let message = der(SEQUENCE, &[&der(OBJECT_ID, &[]), &der(CONTEXT_0, &[&data])]);
        let mut file = b"\x7fELF module".to_vec();
        file.extend(&message);
        file.extend([0, 0, PKCS7, 0, 0, 0, 0, 0]);
        file.extend((message.len() as u32).to_be_bytes());
        file.extend(MAGIC);
        file
    }

    #[test]
    fn the_signer_is_read() {
        let file = signed();
        let read = signature(&file).unwrap();
        let [signer] = &*read.signers else { panic!("one signer") };
        let mut key = b"key ".to_vec();
        hexadecimal(signer.key, &mut key);
        assert_eq!((read.kind, signer.name.as_str(), &*key), ("PKCS#7", "Key", &b"key FA:01"[..]));
        assert_eq!((&*signer.digest.name(), signer.bytes), ("sha256", &b"sig"[..]));
        assert!(signature(b"\x7fELF").is_none());
    }

    #[test]
    fn object_identifiers_are_dotted() {
        let sm3 = [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11];
        assert_eq!(dotted(&sm3).as_deref(), Some("1.2.156.10197.1.401"));
        assert_eq!(dotted(&[0x88, 0x37, 0x03]).as_deref(), Some("2.999.3"));
        assert_eq!(dotted(&[0x27]).as_deref(), Some("0.39"));
        assert_eq!([dotted(&[]), dotted(&[0x2a, 0x81]), dotted(&[0xff; 40])], [None, None, None]);
    }

    #[test]
    fn strings_are_read_by_their_tags() {
        assert_eq!(text(LATIN_1, b"M\xfcller"), "Müller");
        assert_eq!(text(BMP, b"\0M\x00\xfc\xd8\x3d\xde\x00"), "Mü😀");
        assert_eq!(text(BMP, b"\xd8\x00\0a"), "\u{fffd}a");
        assert_eq!(text(UNIVERSAL, b"\0\0\0M\0\0\x01\x00"), "MĀ");
        assert_eq!(text(0x0c, "Mü".as_bytes()), "Mü");
    }

    #[test]
    fn elements_may_end_by_two_zeros() {
        let open = [0x30, 0x80, 0x04, 0x80, 0x04, 1, 7, 0, 0, 0x02, 1, 0, 0, 0, 9];
        assert_eq!(element(&open), Some((0x30, &open[2..12], &open[14..])));
        assert_eq!(element(&[0x30, 0x80].repeat(100_000)), None);
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let sound = signed();
        for length in 0..sound.len() {
            let _ = signature(&sound[length..]);
        }
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut flipped = sound.clone();
                flipped[at] ^= 1 << bit;
                let _ = signature(&flipped);
            }
        }
    }
}
