//! A text → the ELF module that it describes: git keeps text.
//!
//! A case's file that starts with `#!elf` is compiled when the root is laid:
//!
//! ```text
//! #!elf 64                  the class, 32 or 64; ` big` behind it: big-endian
//! modinfo KEY=VALUE         a string of .modinfo
//! hollow NAME               what this section has is said to be in another file
//! version CRC NAME          a record of __versions
//! extended CRC NAME         the same in __version_ext_crcs and _names
//! export CRC NAME           symbol __crc_NAME, CRC in section __kcrctab
//! export-absolute CRC NAME  symbol __crc_NAME, CRC its value
//! string NAME               a string of __ksymtab_strings, as of a stripped module
//! export-bare NAME          the same, and the symbol NAME
//! defines NAME              symbol NAME, for this module alone
//! needs NAME                an undefined symbol
//! needs-weak NAME           the same, one that the module can do without
//! section NAME HEX          a section of these bytes
//! append HEX                these bytes behind the file, as a signature is
//! ```
//!
//! CRC is hexadecimal behind `0x`. Only what a line asks for is in the file.

struct Section {
    name: String,
    kind: u32,
    link: u32,
    entry: u32,
    bytes: Vec<u8>,
}

struct Symbol {
    name: String,
    value: u64,
    section: u16,
    bind: u8,
}

/// How numbers are written.
#[derive(Clone, Copy)]
struct Shape {
    wide: bool,
    big: bool,
}

const MAGIC: &[u8] = b"#!elf ";
const PROGBITS: u32 = 1;
const NOBITS: u32 = 8;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const ABSOLUTE: u16 = 0xfff1;
const LOCAL: u8 = 0;
const GLOBAL: u8 = 1;
const WEAK: u8 = 2;
/// What a record of `__versions` takes, CRC and name.
const RECORD: usize = 64;

/// `None`: not such a text.
pub fn compiled(text: &[u8]) -> Option<Result<Vec<u8>, String>> {
    text.starts_with(MAGIC).then(|| module(&String::from_utf8_lossy(text)))
}

fn module(text: &str) -> Result<Vec<u8>, String> {
    let mut lines = text.lines();
    let shape = match lines.next().unwrap_or_default() {
        "#!elf 64" => Shape { wide: true, big: false },
        "#!elf 32" => Shape { wide: false, big: false },
        "#!elf 64 big" => Shape { wide: true, big: true },
        "#!elf 32 big" => Shape { wide: false, big: true },
        other => return Err(format!("{other}: no such ELF file")),
    };
    let mut sections: Vec<Section> = Vec::new();
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut behind = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let wrong = || format!("{line}: unknown line");
        let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let pair = || {
            let (crc, name) = rest.split_once(' ')?;
            Some((u32::from_str_radix(crc.strip_prefix("0x")?, 16).ok()?, name))
        };
        match word {
            "hollow" => section(&mut sections, rest).kind = NOBITS,
            "modinfo" => section(&mut sections, ".modinfo").bytes.extend(string(rest)),
            "string" => section(&mut sections, "__ksymtab_strings").bytes.extend(string(rest)),
            "export-bare" | "defines" => {
                let bind = if word == "defines" { LOCAL } else { GLOBAL };
                if bind == GLOBAL {
                    section(&mut sections, "__ksymtab_strings").bytes.extend(string(rest));
                }
                symbols.push(Symbol { name: rest.to_owned(), value: 0, section: ABSOLUTE, bind });
            }
            "needs" | "needs-weak" => {
                let bind = if word == "needs" { GLOBAL } else { WEAK };
                symbols.push(Symbol { name: rest.to_owned(), value: 0, section: 0, bind });
            }
            "version" => {
                let (crc, name) = pair().ok_or_else(wrong)?;
                let mut record = shape.word(u64::from(crc));
                record.extend(string(name));
                record.resize(RECORD, 0);
                section(&mut sections, "__versions").bytes.extend(record);
            }
            "extended" => {
                let (crc, name) = pair().ok_or_else(wrong)?;
                section(&mut sections, "__version_ext_crcs").bytes.extend(shape.u32(crc));
                section(&mut sections, "__version_ext_names").bytes.extend(string(name));
            }
            "export" => {
                let (crc, name) = pair().ok_or_else(wrong)?;
                let table = section(&mut sections, "__kcrctab");
                let value = table.bytes.len() as u64;
                table.bytes.extend(shape.u32(crc));
                let at = sections.iter().position(|section| section.name == "__kcrctab");
                let section = u16::try_from(at.unwrap_or_default() + 1).unwrap_or_default();
                let name = format!("__crc_{name}");
                symbols.push(Symbol { name, value, section, bind: GLOBAL });
            }
            "export-absolute" => {
                let (crc, name) = pair().ok_or_else(wrong)?;
                let name = format!("__crc_{name}");
                let value = u64::from(crc);
                symbols.push(Symbol { name, value, section: ABSOLUTE, bind: GLOBAL });
            }
            "section" => {
                let (name, digits) = rest.split_once(' ').unwrap_or((rest, ""));
                let bytes = hexadecimal(digits).ok_or_else(wrong)?;
                section(&mut sections, name).bytes.extend(bytes);
            }
            "append" => behind.extend(hexadecimal(rest).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
    }
    if !symbols.is_empty() {
        add_symbols(&mut sections, &symbols, shape);
    }
    Ok([file(sections, shape), behind].concat())
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

fn string(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

fn section<'a>(sections: &'a mut Vec<Section>, name: &str) -> &'a mut Section {
    let at = sections.iter().position(|section| section.name == name).unwrap_or(sections.len());
    if at == sections.len() {
        let name = name.to_owned();
        sections.push(Section { name, kind: PROGBITS, link: 0, entry: 0, bytes: Vec::new() });
    }
    &mut sections[at]
}

fn add_symbols(sections: &mut Vec<Section>, symbols: &[Symbol], shape: Shape) {
    let entry = if shape.wide { 24 } else { 16 };
    let (mut table, mut names) = (vec![0; entry], vec![0]);
    for symbol in symbols {
        table.extend(shape.u32(u32::try_from(names.len()).unwrap_or_default()));
        names.extend(string(&symbol.name));
        // Of no type.
        let (info, section) = ([symbol.bind << 4, 0], shape.u16(symbol.section));
        if shape.wide {
            table.extend([&info[..], &section, &shape.word(symbol.value), &[0; 8]].concat());
        } else {
            table.extend([&shape.word(symbol.value), &[0; 4][..], &info, &section].concat());
        }
    }
    // The strings come behind the table; the first section is the null one.
    let link = u32::try_from(sections.len() + 2).unwrap_or_default();
    let entry = u32::try_from(entry).unwrap_or_default();
    let name = ".symtab".to_owned();
    sections.push(Section { name, kind: SYMTAB, link, entry, bytes: table });
    let name = ".strtab".to_owned();
    sections.push(Section { name, kind: STRTAB, link: 0, entry: 0, bytes: names });
}

/// Header, contents, section table.
fn file(mut sections: Vec<Section>, shape: Shape) -> Vec<u8> {
    let mut names = vec![0];
    let mut starts = Vec::new();
    let last = ".shstrtab".to_owned();
    sections.push(Section { name: last, kind: STRTAB, link: 0, entry: 0, bytes: Vec::new() });
    for section in &sections {
        starts.push(names.len());
        names.extend(string(&section.name));
    }
    if let Some(section) = sections.last_mut() {
        section.bytes = names;
    }

    let head: u16 = if shape.wide { 64 } else { 52 };
    let entry: u16 = if shape.wide { 64 } else { 40 };
    let mut contents = Vec::new();
    let mut table = vec![0; usize::from(entry)];
    for (section, start) in sections.iter().zip(starts) {
        contents.resize(contents.len().next_multiple_of(8), 0);
        table.extend(shape.u32(u32::try_from(start).unwrap_or_default()));
        table.extend(shape.u32(section.kind));
        for word in [0, 0, u64::from(head) + contents.len() as u64, section.bytes.len() as u64] {
            table.extend(shape.word(word));
        }
        table.extend([shape.u32(section.link), shape.u32(0)].concat());
        table.extend([shape.word(1), shape.word(u64::from(section.entry))].concat());
        contents.extend(&section.bytes);
    }
    contents.resize(contents.len().next_multiple_of(8), 0);

    let class = [if shape.wide { 2 } else { 1 }, if shape.big { 2 } else { 1 }, 1];
    let mut file = [&b"\x7fELF"[..], &class, &[0; 9]].concat();
    // A relocatable file for x86-64 or i386; the powerpc of either width.
    let machine = match (shape.wide, shape.big) {
        (true, false) => 62,
        (false, false) => 3,
        (true, true) => 21,
        (false, true) => 20,
    };
    file.extend([shape.u16(1), shape.u16(machine)].concat());
    file.extend(shape.u32(1));
    for word in [0, 0, u64::from(head) + contents.len() as u64] {
        file.extend(shape.word(word));
    }
    file.extend(shape.u32(0));
    let count = u16::try_from(sections.len()).unwrap_or_default();
    for half in [head, 0, 0, entry, count + 1, count] {
        file.extend(shape.u16(half));
    }
    file.extend(contents);
    file.extend(table);
    file
}

impl Shape {
    fn u16(self, value: u16) -> Vec<u8> {
        self.ordered(value.to_be_bytes().to_vec())
    }

    fn u32(self, value: u32) -> Vec<u8> {
        self.ordered(value.to_be_bytes().to_vec())
    }

    /// An address, an offset or a size.
    fn word(self, value: u64) -> Vec<u8> {
        let bytes = value.to_be_bytes();
        self.ordered(bytes[if self.wide { 0 } else { 4 }..].to_vec())
    }

    fn ordered(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !self.big {
            bytes.reverse();
        }
        bytes
    }
}
