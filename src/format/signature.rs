//! The signature at the end of a module (kernel: `include/linux/
//! module_signature.h`, `kernel/module/signing.c`):
//!
//! ```text
//! module  signature  u8 algo, hash, id_type, signer_len, key_id_len, pad[3]
//!                    u32 length of the signature, big-endian
//!                    "~Module signature appended~\n"
//! ```
//!
//! The signature is a PKCS#7 message in DER (RFC 2315), from which this reads
//! who signed, and with what: `ContentInfo { oid, [0] SignedData { version, digests, content,
//! [0] certificates?, [1] crls?, SET OF SignerInfo { version, issuer and serial
//! number, digest, [0] attributes?, algorithm, signature, … } } }`. What is anything
//! else has no signer to tell.

const MAGIC: &[u8] = b"~Module signature appended~\n";
/// `PKEY_ID_PKCS7`
const PKCS7: u8 = 2;
/// The object identifier of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;

/// A module's signature, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The common name of the key's issuer.
    pub signer: String,
    /// The key's serial number.
    pub key: &'a [u8],
    /// The digest that was signed, as the kernel calls it.
    pub digest: &'static str,
    /// The signature itself.
    pub bytes: &'a [u8],
}

/// Whether `image` is signed, and how if that is to be read.
pub fn signature(image: &[u8]) -> Option<Option<Signature<'_>>> {
    let rest = image.strip_suffix(MAGIC)?;
    let (rest, information) = rest.split_last_chunk::<12>()?;
    let [_, _, id_type, _, _, _, _, _, length @ ..] = information;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let message = rest.get(rest.len().checked_sub(length)?..)?;
    Some((*id_type == PKCS7).then(|| read(message)).flatten())
}

/// Room for what is behind a module in its file, and says how long a signature is.
pub const FOOTER: u64 = 12 + MAGIC.len() as u64;

/// How many bytes at the end of a file its signature takes, whose last ones, [`FOOTER`],
/// are `end`; none if it has none.
pub fn length(end: &[u8]) -> Option<u64> {
    let (_, information) = end.strip_suffix(MAGIC)?.split_last_chunk::<4>()?;
    Some(u64::from(u32::from_be_bytes(*information)) + FOOTER)
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

fn read(message: &[u8]) -> Option<Signature<'_>> {
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
    let (infos, _) = expect(signed_data, SET)?;
    let (mut info, _) = expect(infos, SEQUENCE)?;
    expect_next(&mut info, INTEGER)?;
    let mut identity = expect_next(&mut info, SEQUENCE)?;
    let issuer = expect_next(&mut identity, SEQUENCE)?;
    let serial = expect_next(&mut identity, INTEGER)?;
    let (digest, _) = expect(expect_next(&mut info, SEQUENCE)?, OBJECT_ID)?;
    let _ = expect_next(&mut info, CONTEXT_0);
    expect_next(&mut info, SEQUENCE)?;
    let (bytes, _) = expect(info, OCTETS)?;
    // A number whose first bit is set has a zero in front, for its sign.
    let key = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
    Some(Signature { signer: common_name(issuer)?, key, digest: digest_name(digest), bytes })
}

fn digest_name(object_id: &[u8]) -> &'static str {
    match object_id {
        [0x2b, 0x0e, 0x03, 0x02, 0x1a] => "sha1",
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, which] => match which {
            1 => "sha256",
            2 => "sha384",
            3 => "sha512",
            4 => "sha224",
            8 => "sha3-256",
            9 => "sha3-384",
            10 => "sha3-512",
            _ => "unknown",
        },
        _ => "unknown",
    }
}

fn common_name(mut names: &[u8]) -> Option<String> {
    loop {
        let set = expect_next(&mut names, SET)?;
        let (mut pair, _) = expect(set, SEQUENCE)?;
        if expect_next(&mut pair, OBJECT_ID)? == COMMON_NAME {
            let (_, text, _) = element(pair)?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
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
    let [tag, length, rest @ ..] = bytes else { return None };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
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
        let read = signature(&file).unwrap().unwrap();
        let mut key = b"key ".to_vec();
        hexadecimal(read.key, &mut key);
        assert_eq!((read.signer.as_str(), &*key), ("Key", &b"key FA:01"[..]));
        assert_eq!((read.digest, read.bytes), ("sha256", &b"sig"[..]));
        assert_eq!(signature(b"\x7fELF"), None);
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
