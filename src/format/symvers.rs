//! The symbols that a kernel exports, as its build leaves them.
//!
//! ```text
//! Module.symvers  0xCRC TAB SYMBOL TAB vmlinux TAB EXPORT…    (kernel: modpost)
//! System.map      ADDRESS TYPE __ksymtab_SYMBOL               (nm(1))
//! ```

use super::text::{lines, words};

/// What a line says: a symbol and its checksum; nothing, as it is about something
/// else; or nothing that is understood, with the line's number.
pub type Line<'a> = Result<Option<(&'a [u8], u32)>, usize>;

/// The lines of a `Module.symvers`: the symbols of the kernel itself.
pub fn module_symvers(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    (1usize..).zip(lines(text)).map(|(number, line)| {
        let mut words = words(line);
        let (Some(crc), Some(symbol), Some(b"vmlinux")) =
            (words.next(), words.next(), words.next())
        else {
            return Ok(None);
        };
        let crc = std::str::from_utf8(crc.strip_prefix(b"0x").unwrap_or(crc)).ok();
        let crc = crc.and_then(|crc| u32::from_str_radix(crc, 16).ok()).ok_or(number)?;
        Ok(Some((symbol, crc)))
    })
}

/// The lines of a `System.map`, which has no checksums. `prefix` is what the
/// architecture puts before each symbol.
pub fn system_map(text: &[u8], prefix: Option<u8>) -> impl Iterator<Item = Line<'_>> {
    (1usize..).zip(lines(text)).map(move |(number, line)| {
        if line.is_empty() {
            return Ok(None);
        }
        let symbol = line.splitn(3, |&c| c == b' ').nth(2).ok_or(number)?;
        Ok(bare(symbol, prefix).strip_prefix(b"__ksymtab_").map(|symbol| (symbol, 0)))
    })
}

/// `name` without the character that an architecture puts before each.
pub fn bare(name: &[u8], prefix: Option<u8>) -> &[u8] {
    match name {
        [first, rest @ ..] if Some(*first) == prefix => rest,
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_symbols_are_found() {
        let text = b"0x1234abcd\tprintk\tvmlinux\tEXPORT_SYMBOL\n\
                     0x1\tother\tdrivers/x\tEXPORT_SYMBOL\n0xz\tbad\tvmlinux\n\n";
        let all: Vec<_> = module_symvers(text).collect();
        assert_eq!(
            all,
            [Ok(Some((&b"printk"[..], 0x1234_abcd))), Ok(None), Err(3), Ok(None), Ok(None)]
        );
        let text = b"c02 R __ksymtab_printk\nc02 T _text\nbad\nc1 r .__ksymtab_x\n";
        let all: Vec<_> = system_map(text, Some(b'.')).collect();
        let symbol = |name: &'static str| Ok(Some((name.as_bytes(), 0)));
        assert_eq!(all, [symbol("printk"), Ok(None), Err(3), symbol("x"), Ok(None)]);
    }
}
