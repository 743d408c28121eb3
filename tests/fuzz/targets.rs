//! What is done with an input, and what has to be true then.
//!
//! What is asserted is what callers rely on. Where a parser has no door of its own, the input
//! is a file below a root, as it would be.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{elf, measure};
use crate::applets;
use crate::config::depmod_d::DepmodConfig;
use crate::config::{Config, modules_load};
use crate::devices::announced;
use crate::error::Status;
use crate::format::compression::{Decompressor, Failure, Kind};
use crate::format::elf::{INDEXED, ModuleElf, build_id, entries};
use crate::format::index::Index;
use crate::format::index::write::IndexWriter;
use crate::format::json::Json;
use crate::format::modinfo::{Extra, Field, parameters};
use crate::format::pages::{Pages, Source};
use crate::format::params;
use crate::format::parts::Parts;
use crate::format::signature::{self, hexadecimal, signature};
use crate::format::symvers;
use crate::format::text;
use crate::format::trace::Trace;
use crate::format::trace::path::critical;
use crate::kernel::execute::c_string;
use crate::kernel::log::KernelLog;
use crate::kernel::uevent::{self, News};
use crate::moddir::ModuleDir;
use crate::name::{ModuleName, fold_alias, glob, matches};
use crate::plan::{self, Policy, Verdict};
use crate::resolve::{Sources, resolve};
use crate::root::Root;
use crate::state::State;

/// Something that is done with inputs.
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Does it. A panic is a defect.
    pub run: fn(&Scratch, &[u8]),
    /// Inputs to begin with, besides those that are kept.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What inputs are made of.
    pub words: &'static [&'static [u8]],
    /// How long an input is at most.
    pub longest: usize,
    /// Blocks of code for each byte of the input, at most.
    pub blocks: u64,
    /// Bytes of memory for each byte of the input, at most.
    pub memory: usize,
}

const NOTHING: Target = Target {
    name: "",
    run: |_, _| {},
    seeds: Vec::new,
    words: &[],
    longest: 16 << 10,
    blocks: 400,
    memory: 64,
};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "elf",
        run: elf_file,
        seeds: modules,
        words: SECTIONS,
        // Names without a NUL behind them are taken anew for each symbol.
        blocks: 2000,
        memory: 600,
        ..NOTHING
    },
    Target {
        name: "modinfo",
        run: modinfo,
        words: &[b"parm=", b"parmtype=", b"a:", b":", b"\0", b"alias=", b"GNU\0", b"license=GPL\0"],
        ..NOTHING
    },
    Target {
        name: "modinfo-file",
        run: modinfo_file,
        seeds: modules,
        words: SECTIONS,
        blocks: 2000,
        memory: 2000,
        ..NOTHING
    },
    Target {
        name: "signature",
        run: signed,
        seeds: signatures,
        words: &[
            b"0\x80",
            b"\0\0",
            b"\xa0\x80",
            b"1\x80",
            b"0\x82",
            b"\x04\x80",
            b"\x02\x01\x01",
            b"\x06\x03U\x04\x03",
            b"\x14\x02",
            b"\x1e\x02",
            b"\x1c\x04",
            SIGNED,
        ],
        ..NOTHING
    },
    Target {
        name: "index-lookup",
        run: index_lookup,
        seeds: indexes,
        words: NODES,
        blocks: 3000,
        memory: 400,
        ..NOTHING
    },
    Target {
        name: "index-dump",
        run: index_dump,
        seeds: indexes,
        words: NODES,
        blocks: 3000,
        ..NOTHING
    },
    Target {
        name: "index-write",
        run: index_write,
        seeds: || vec![b"a b\nab c\na* d\na[b-c]? e\n".to_vec()],
        words: PATTERNS,
        longest: 4 << 10,
        blocks: 20_000,
        memory: 600,
    },
    Target {
        name: "tables",
        run: tables,
        seeds: || {
            vec![
                [
                    &b"fs-x\n----\nkernel/a-b.ko.xz: kernel/c.ko\nkernel/c.ko:\n\n----\n"[..],
                    b"alias fs-x a_b\nalias fs-* c\n\n----\nalias symbol:do_it c\n",
                ]
                .concat(),
            ]
        },
        words: &[
            b"\n----\n",
            b"alias ",
            b"alias a* b\n",
            b"kernel/",
            b".ko",
            b".ko.xz",
            b": ",
            b"symbol:",
            b"*",
            b"[a-c]",
            b"?",
            b"\n",
            b" ",
            b"fs-x",
            b"fs_x",
        ],
        blocks: 2000,
        ..NOTHING
    },
    Target {
        name: "builtin",
        run: builtin,
        seeds: || {
            vec![
                b"ext4\n----\nkernel/ext4.ko\nkernel/unix.ko\n\n----\next4.alias=fs-ext4\0\
                  ext4.file=fs/ext4\0ext4.license=GPL\0unix.alias=net-pf-1\0ext4.file=fs/x\0"
                    .to_vec(),
            ]
        },
        words: &[
            b"\n----\n",
            b"ext4.",
            b"file=",
            b"alias=",
            b"\0",
            b"ext4.file=a\0",
            b"ext4.a=b\0",
            b".",
            b"=",
            b"kernel/",
            b".ko\n",
            b"*",
        ],
        ..NOTHING
    },
    Target {
        name: "modprobe-d",
        run: modprobe_d,
        seeds: || {
            vec![
                b"# c\n\nalias my-* snd-hda\nblacklist bad-one\noptions snd-hda a=1\tb=2\n"
                    .to_vec(),
                b"options snd_hda c=3\nsoftdep x pre: p-1 p2 post: q\nsoftdep x pre: p3\n".to_vec(),
                b"install i-* first # one\nremove r cmd\ndeny d-*\nweakdep w v,u\n".to_vec(),
            ]
        },
        words: DIRECTIVES,
        blocks: 2000,
        memory: 2000,
        ..NOTHING
    },
    Target {
        name: "plan",
        run: planned,
        seeds: || {
            vec![
                [
                    &b"a\n----\nsoftdep a pre: b post: c\nsoftdep b pre: c\noptions a x=1\n"[..],
                    b"install c echo\nblacklist d\n\n----\nk/a.ko: k/b.ko\nk/b.ko:\nk/c.ko:\n",
                ]
                .concat(),
            ]
        },
        words: &[
            b"\n----\n",
            b"softdep a pre: ",
            b"softdep * pre: ",
            b" post: ",
            b"a ",
            b"b ",
            b"c ",
            b"alias a* b\n",
            b"k/a.ko: k/b.ko\n",
            b"k/",
            b".ko",
            b": ",
            b"options * x=1\n",
            b"install b x\n",
            b"deny c\n",
            b"blacklist a\n",
        ],
        // Each name is looked for in the text, and there are as many of them as it is long.
        longest: 1 << 10,
        blocks: 40_000,
        memory: 2000,
    },
    Target {
        name: "depmod-d",
        run: depmod_d,
        seeds: || {
            vec![
                b"search updates ext built-in external\noverride a * weak\nexternal * /opt/m\n"
                    .to_vec(),
                b"exclude .git # x\noverride b 6.1 weak\ninclude x\nmake_map_files\n".to_vec(),
            ]
        },
        words: &[
            b"search ",
            b"override ",
            b"external ",
            b"exclude ",
            b"include ",
            b"built-in ",
            b"* ",
            b"6.1 ",
            b"/opt ",
            b"\n",
            b"\\\n",
            b"#",
            b"\"",
            b"\r\n",
        ],
        blocks: 2000,
        memory: 2000,
        ..NOTHING
    },
    Target {
        name: "release",
        run: release,
        seeds: || {
            vec![
                b"^([0-9]{1,2}\\\\.){2}[[:digit:]]".to_vec(),
                b"(a*)*b|6.1.0-.*-amd64$".to_vec(),
                b"((6{2}){3}){4,}".to_vec(),
            ]
        },
        words: &[
            b"(",
            b")",
            b"*",
            b"+",
            b"?",
            b"{",
            b"}",
            b"{2}",
            b"{1,255}",
            b"{255}",
            b"[0-9]",
            b"[^",
            b"[[:digit:]]",
            b"\\\\.",
            b"^",
            b"$",
            b"|",
            b"6.1",
            b".",
        ],
        longest: 4 << 10,
        blocks: 100_000,
        ..NOTHING
    },
    Target {
        name: "modules-load",
        run: lists,
        seeds: || vec![b"# no\nloop max_loop=8\ne, f\n\"g\" 'h' p=1\no p=\"x y\"\n".to_vec()],
        words: &[
            b",",
            b", ",
            b"\"",
            b"'",
            b"=",
            b" ",
            b"\t",
            b"\n",
            b"\\\n",
            b"#",
            b";",
            b"a",
            b".ko",
            b"/",
            b"of:N",
            b"\r\n",
            b"\xef\xbb\xbf",
        ],
        blocks: 2000,
        memory: 2000,
        ..NOTHING
    },
    Target {
        name: "cmdline",
        run: command_line,
        seeds: || {
            vec![
                b"root=/dev/sda1 m.p=\"two words\" \"m.q=more words\" modprobe.blacklist=a-b,c"
                    .to_vec(),
                b"modprobe.deny=a* module_blacklist=x,y-z rd.modules_load=l,m -- m.a=1".to_vec(),
            ]
        },
        words: &[
            b"modprobe.blacklist=",
            b"modprobe.deny=",
            b"module_blacklist=",
            b"module-blacklist=",
            b"modules_load=",
            b"rd.modules-load=",
            b"\"",
            b"'",
            b",",
            b" ",
            b"m.a=",
            b".",
            b"=",
            b"a-b",
            b"--",
            b".ko",
            b"/",
            b"*",
            b"[",
        ],
        blocks: 2000,
        memory: 2000,
        ..NOTHING
    },
    Target { name: "gzip", run: gzip, words: &[GZIP, b"hello"], ..DECODER },
    Target { name: "xz", run: xz, words: &[XZ, b"\0\0\0\0", b"YZ"], ..DECODER },
    Target { name: "zstd", run: zstd, words: &[ZSTD, b"\x50\x2a\x4d\x18"], ..DECODER },
    Target {
        name: "uevent",
        run: message,
        seeds: || {
            vec![
                b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0MODALIAS=pci:v1 d\"2\0SEQNUM=5\0"
                    .to_vec(),
                b"add@/devices/x\0OF_NAME=rom\0OF_TYPE=t\0OF_COMPATIBLE_0=a,b c\0\
                  OF_COMPATIBLE_1=d\0OF_COMPATIBLE_N=2\0MODALIAS=spi:rom\0"
                    .to_vec(),
            ]
        },
        words: &[
            b"add@",
            b"remove@",
            b"/devices/",
            b"MODALIAS=",
            b"OF_NAME=",
            b"OF_TYPE=",
            b"OF_COMPATIBLE_",
            b"OF_COMPATIBLE_N=",
            b"of:N",
            b"\0",
            b"\n",
            b"\0MODALIAS=a\0",
        ],
        // More than the kernel puts into one, and than is read.
        longest: 8 << 10,
        ..NOTHING
    },
    Target {
        name: "kmsg",
        run: kernel_log,
        seeds: || {
            vec![
                b"3,7,99,-;ext4: Unknown symbol foo (err -2)\n SUBSYSTEM=x\n".to_vec(),
                b"1,7,99,-;BUG: x\nCPU: 0 PID: 17 Comm: x\nRIP: y\n".to_vec(),
            ]
        },
        words: &[
            b"3,7,99,-;",
            b"ext4",
            b";",
            b",",
            b"\n",
            b"module: ",
            b"BUG: ",
            b"Out of memory: ",
            b"Killed process 17 ",
            b"CPU: ",
            b" PID: 17 ",
            b"RIP: ",
            b"taints kernel.",
            b"ext4: ",
        ],
        ..NOTHING
    },
    Target {
        name: "json",
        run: json,
        seeds: || {
            vec![
                br#"{"a":{"b" : [1, "x\u00e4\ud83d\ude00"]},"c":null}"#.to_vec(),
                b"[true,false,-12.5e1, 1e-99999999999999999999, []]".to_vec(),
            ]
        },
        words: &[
            b"{",
            b"}",
            b"[",
            b"]",
            b"\"",
            b":",
            b",",
            b"null",
            b"true",
            b"\\u00e4",
            b"\\ud83d",
            b"\\ude00",
            b"\\",
            b"1e9",
            b"e-",
            b"99999999999999999999",
            b"\"a\":",
            b"[]",
        ],
        memory: 200,
        ..NOTHING
    },
    Target { name: "trace", run: trace, seeds: traces, words: EVENTS, memory: 600, ..TRACE },
    Target { name: "timeline", run: timeline, seeds: traces, words: EVENTS, ..TRACE },
    Target {
        name: "symvers",
        run: symbols,
        seeds: || {
            vec![
                b"0x1234abcd\tprintk\tvmlinux\tEXPORT_SYMBOL\n0x1\tother\tdrivers/x\tE\n".to_vec(),
                b"c02 R __ksymtab_printk\nc02 T _text\nbad\nc1 r .__ksymtab_x\n".to_vec(),
            ]
        },
        words: &[b"0x", b"\tvmlinux\t", b"__ksymtab_", b" R ", b".", b"\t", b"\n", b" "],
        ..NOTHING
    },
    Target {
        name: "glob",
        run: globs,
        seeds: || {
            vec![b"pci:v*d*sv*bc02[!a-c]?\\*[[:digit:]]\npci:v00008086d0000100Esv1bc02".to_vec()]
        },
        words: &[
            b"*",
            b"?",
            b"[",
            b"]",
            b"[a-c]",
            b"[!",
            b"[^",
            b"[[:alpha:]]",
            b"[:",
            b":]",
            b"\\",
            b"-",
            b"\n",
            b"a",
            b"*a",
        ],
        blocks: 20_000,
        ..NOTHING
    },
    Target {
        name: "options",
        run: options,
        seeds: || vec![b"a=1\nb=x y\nc=\"x y\"\nd='x y'\nflag\ne f\ng=".to_vec()],
        words: &[b"=", b" ", b"\"", b"'", b"\n", b"a", b"\0"],
        ..NOTHING
    },
    Target {
        name: "proc-modules",
        run: proc_modules,
        seeds: || {
            vec![
                b"ext4 983040 1 - Live 0x0\njbd2 167936 1 ext4, Live 0x0 (E)\n\
                  slow 1 2 a,b,[permanent], Loading 0x0\nno 5 - - Unloading 0x0\ngarbage\n"
                    .to_vec(),
            ]
        },
        words: &[
            b"Live",
            b"Loading",
            b" 1 ",
            b" - ",
            b",",
            b"[permanent],",
            b"\n",
            b"-",
            b"a",
            b" ",
        ],
        memory: 200,
        ..NOTHING
    },
    Target {
        name: "depmod",
        run: depmod,
        seeds: || {
            let [one, other] = [modules(), modules()];
            let pair = |(one, other): (Vec<u8>, Vec<u8>)| {
                let start = b"kernel/b.ko\nkernel/a.ko\n\n----\n0x1234abcd\tprintk\tvmlinux\tE\n";
                [&start[..], b"\n----\n", &one, b"\n----\n", &other].concat()
            };
            one.into_iter().zip(other.into_iter().rev()).map(pair).collect()
        },
        words: SECTIONS,
        blocks: 6000,
        memory: 2000,
        ..NOTHING
    },
];

const DECODER: Target = Target { longest: 4 << 10, blocks: 40_000, memory: 4096, ..NOTHING };
const TRACE: Target = Target { blocks: 4000, memory: 2000, ..NOTHING };

const SECTIONS: &[&[u8]] = &[
    b".modinfo\0",
    b".symtab\0",
    b".strtab\0",
    b"__versions\0",
    b"__version_ext_crcs\0",
    b"__version_ext_names\0",
    b"__ksymtab_strings\0",
    b".gnu.linkonce.this_module\0",
    b".note.gnu.build-id\0",
    b"__crc_",
    b"name=",
    b"alias=",
    b"softdep=",
    b"\n----\n",
    b"\0",
    b"char-major-10-229\0",
    b"devname:x\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\0",
];

const NODES: &[&[u8]] = &[
    b"\x20\0\0\x0c",
    b"\x40\0\0\x0c",
    b"\x80\0\0\x0c",
    b"\xe0\0\0\x0c",
    b"\x60\0\0\x0c",
    b"\0\0\0\x01",
    b"\0\0\0\0",
    b"*",
    b"?",
    b"[",
    b"]",
    b"\\",
    b"[a-c]",
    b"az",
    b"a\0",
];

const PATTERNS: &[&[u8]] = &[
    b" ", b"\n", b"*", b"?", b"[", b"]", b"[a-c]", b"[!a]", b"\\", b"a", b"b", b"aa", b"ab ",
    b"a* x\n",
];

const DIRECTIVES: &[&[u8]] = &[
    b"alias ",
    b"blacklist ",
    b"deny ",
    b"options ",
    b"softdep ",
    b"weakdep ",
    b"install ",
    b"remove ",
    b"include ",
    b"pre: ",
    b"post: ",
    b"a ",
    b"a,b ",
    b"\n",
    b"\\\n",
    b"#",
    b" # ",
    b"\"",
    b"'",
    b"*",
    b"[a-c]",
    b"pci:v*",
    b"/x/a.ko",
    b"\r\n",
    b"\t",
    b",",
];

const EVENTS: &[&[u8]] = &[
    b"{\"ph\": \"X\", \"name\": \"a\", \"cat\": \"kernel\", \"ts\": 1, \"dur\": 2, \"tid\": 1},",
    b"\"args\": {\"result\": \"inserted\", \"needs\": [\"a\"], \"ready\": 1}",
    b"{\"ph\": \"i\", \"name\": \"b\", \"args\": {\"result\": \"\"}},",
    b"\"needs\": [\"a\", \"b\"]",
    b"\"ts\": ",
    b"\"dur\": ",
    b"\"tid\": 2",
    b"1099511627776",
    b"-1",
    b",",
    b"\"core\": 4096",
    b"\"cat\": \"read\"",
    b"\"cat\": \"decompress\"",
];

const SIGNED: &[u8] = b"~Module signature appended~\n";
const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
const XZ: &[u8] = b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// A root for files, in memory where there is such a place.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        let directory = builder.prefix("nanomod-fuzz.");
        let made = directory.tempdir_in("/dev/shm").or_else(|_| directory.tempdir());
        let scratch = Self(made.unwrap());
        for directory in ["proc", "dev", "etc/modules-load.d", MODULES] {
            fs::create_dir_all(scratch.path(directory)).unwrap();
        }
        scratch
    }

    fn root(&self) -> Root {
        Root::new(self.0.path())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Makes a file.
    fn put(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.path(path);
        fs::write(&path, content).unwrap();
        path
    }

    fn modules(&self) -> ModuleDir {
        ModuleDir::new(&self.root(), b"6.1")
    }
}

const MODULES: &str = "lib/modules/6.1";

/// The pieces of an input that has lines of four signs between them; the last has the rest.
fn pieces<const N: usize>(mut input: &[u8]) -> [&[u8]; N] {
    const BETWEEN: &[u8] = b"\n----\n";
    let mut pieces = [&b""[..]; N];
    for piece in &mut pieces[..N - 1] {
        let at = input.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        *piece = &input[..at.unwrap_or(input.len())];
        input = at.map_or(&[], |at| &input[at + BETWEEN.len()..]);
    }
    pieces[N - 1] = input;
    pieces
}

/// The first line, and the rest.
fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|&c| c == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// A file that counts what is read of it.
struct Counted<'a>(&'a [u8], &'a Cell<usize>);

impl Source for Counted<'_> {
    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(block.len());
        block[..count].copy_from_slice(&rest[..count]);
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

fn elf_file(_: &Scratch, input: &[u8]) {
    let read = Cell::new(0);
    let mut buffer = Vec::new();
    let mut parts = Parts::new(Counted(input, &read), input.len() as u64, &mut buffer);
    let gathered = ModuleElf::gather(&mut parts, &INDEXED);
    // The header, the sections' table with what is before it, the names, and each byte once.
    let most = 4 * input.len() + 256;
    assert!(read.get() <= most, "read {} of {} bytes", read.get(), input.len());
    let whole = ModuleElf::parse(input);
    if let Ok(elf) = &whole {
        let _ = (elf.machine(), elf.is_for("x86_64"), elf.is_hollow(), elf.value(b"name"));
        let mut names = 0;
        let _ = elf.names(&mut |name| {
            names += name.len();
            false
        });
        assert!(names <= 4 * input.len(), "{names} bytes of names of {}", input.len());
        let _ = elf.footprint(4096);
        assert!(elf.imports().count() <= input.len());
        assert!(elf.exports().count() <= input.len());
    }
    if let (Ok(gathered), Ok(whole)) = (&gathered, &whole) {
        assert!(gathered.modinfo().eq(whole.modinfo()));
        assert!(gathered.imports().eq(whole.imports()));
        assert!(gathered.unversioned().eq(whole.unversioned()));
        let names = |elf: &ModuleElf<'_>| elf.symbols().map(|(name, _)| name.to_vec()).collect();
        let (some, all): (Vec<_>, Vec<_>) = (names(gathered), names(whole));
        assert!(some == all);
    }
    read.set(0);
    let mut parts = Parts::new(Counted(input, &read), input.len() as u64, &mut buffer);
    let _ = ModuleElf::outline(&mut parts).map(|elf| elf.footprint(1 << 16));
    assert!(read.get() <= most);
    let ranges = input.chunks_exact(16).map(|chunk| {
        let (offset, count) = chunk.split_at(8);
        [offset, count].map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
    });
    let mut parts = Parts::new(Counted(input, &read), input.len() as u64, &mut buffer);
    for [offset, count] in ranges.take(16) {
        if let Some(part) = parts.part(offset, count) {
            let offset = usize::try_from(offset).unwrap();
            assert!(parts.buffer()[part.clone()] == input[offset..offset + part.len()]);
            assert!(part.len() as u64 == count);
        }
    }
}

fn modules() -> Vec<Vec<u8>> {
    let lines = "modinfo name=a\nmodinfo alias=pci:v*d1*\nmodinfo alias=char-major-10-229\n\
        modinfo alias=devname:x\nmodinfo softdep=pre: b\nmodinfo parm=a:b\nmodinfo firmware=f\n\
        modinfo vermagic=6.1 SMP \nneeds printk\nneeds-weak may\nexport 0x1234 one\n\
        export-absolute 0x5678 two\n";
    let others = [
        "version 0x1234abcd printk\nversion 0x1 .dot\nsection .gnu.linkonce.this_module \
         000000000000000000000000000000000000000000000000616200\n",
        "extended 0x1234abcd printk\nsection .note.gnu.build-id \
         04000000040000000300000047 4e5500aabbccdd\n",
        "export-bare three\ndefines four\nstring namespace\n",
        "hollow .modinfo\n",
    ];
    let shapes = ["64", "32 big", "64 big", "32"];
    let text = |(shape, other): (&str, &str)| {
        format!("#!elf {shape}\n{lines}{}", other.replace("47 4e", "474e"))
    };
    let all = shapes.into_iter().zip(others).map(text);
    all.map(|text| elf::compiled(text.as_bytes()).unwrap().unwrap()).collect()
}

fn modinfo(_: &Scratch, input: &[u8]) {
    let fields: Vec<_> = entries(input).map(|(key, value)| Field { key, value }).collect();
    let parameters = parameters(&fields);
    assert!(parameters.len() <= fields.len());
    let mut text = Vec::new();
    for parameter in parameters.iter() {
        parameter.write(true, &mut text);
        parameter.write(false, &mut text);
    }
    assert!(text.len() <= 4 * input.len() + 8);
    for is_little in [false, true] {
        let mut extra = Extra::default();
        let id = build_id(input, is_little);
        assert!(id.is_none_or(|id| id.len() + 16 <= input.len()));
        extra.add_build(id);
        assert!(extra.fields().count() <= 1);
    }
}

fn modinfo_file(scratch: &Scratch, input: &[u8]) {
    let file = OsString::from(scratch.put("a.ko", input));
    let modinfo = applets::by_link(b"modinfo").unwrap();
    let plain = modinfo.start(std::slice::from_ref(&file));
    assert_eq!(modinfo.start(&["--json".into(), file.clone()]), plain);
    assert_eq!(modinfo.start(&["-F".into(), "parm".into(), file]), plain);
}

fn signed(_: &Scratch, input: &[u8]) {
    // A message as it is, with what is behind one in a file, and a whole file.
    let length = (input.len() as u32).to_be_bytes();
    for id_type in 0..3 {
        let file = [input, &[0, 4, id_type, 0, 0, 0, 0, 0], &length, SIGNED].concat();
        let read = signature(&file).filter(|_| !input.is_empty());
        assert_eq!(read.is_some(), !input.is_empty());
        shown(&file);
    }
    shown(input);
}

fn shown(file: &[u8]) {
    if let Some(signature) = signature(file) {
        let mut text = Vec::new();
        for signer in signature.signers.iter() {
            let _ = signer.digest.name();
            hexadecimal(signer.key, &mut text);
            hexadecimal(signer.bytes, &mut text);
            text.extend_from_slice(signer.name.as_bytes());
        }
        assert!(text.len() <= 8 * file.len());
        assert!(signature::length(file).is_some_and(|length| length <= file.len() as u64));
    }
    let mut extra = Extra::default();
    extra.add_signature(file);
    assert!(extra.fields().map(|field| field.value.len()).sum::<usize>() <= 16 * file.len() + 64);
}

fn signatures() -> Vec<Vec<u8>> {
    let der = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        [&[tag, 0x81, content.len() as u8][..], &content].concat()
    };
    let pair =
        |oid: &[u8], text: &[u8]| der(0x31, &[&der(0x30, &[&der(6, &[oid]), &der(0x0c, &[text])])]);
    let issuer = der(0x30, &[&pair(&[0x55, 4, 6], b"XX"), &pair(&[0x55, 4, 3], b"Key")]);
    let identity = der(0x30, &[&issuer, &der(2, &[&[0, 0xfa, 1]])]);
    let algorithm = der(0x30, &[&der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    [identity, der(0x80, &[b"identifier"])]
        .map(|who| {
            let one = der(2, &[&[1]]);
            let info = der(0x30, &[&one, &who, &algorithm, &algorithm, &der(4, &[b"sig"])]);
            let empty = [der(0x31, &[]), der(0x30, &[]), der(0xa0, &[b"certificates"])].concat();
            let data = der(0x30, &[&one, &empty, &der(0x31, &[&info])]);
            der(0x30, &[&der(6, &[]), &der(0xa0, &[&data])])
        })
        .to_vec()
}

fn opened(file: &[u8]) -> Option<Index<Vec<u8>>> {
    Index::open(Pages::new(file.to_vec(), file.len() as u64)).ok()
}

fn index_lookup(_: &Scratch, input: &[u8]) {
    let (key, file) = first_line(input);
    let Some(index) = opened(file) else { return };
    let mut value = Vec::new();
    if index.get(key, &mut value) == Ok(true) {
        assert!(value.len() <= file.len());
    }
    if let Ok(found) = index.matching(key) {
        assert!(found.is_sorted_by_key(|value| value.priority));
        assert!(found.iter().map(|value| value.bytes.len()).sum::<usize>() <= file.len());
    }
}

/// How much longer what an index holds may be than the index.
const EXPANSION: usize = 64;

fn index_dump(_: &Scratch, input: &[u8]) {
    let (_, file) = first_line(input);
    let Some(index) = opened(file) else { return };
    let mut length = 0;
    let dumped = index.dump(&mut |key, value| length += key.len() + value.len());
    assert!(length <= EXPANSION * file.len(), "{length} bytes of {}", file.len());
    if dumped.is_ok() {
        let mut value = Vec::new();
        let mut key = Vec::new();
        let _ = index.dump(&mut |some, _| key = some.to_vec());
        let _ = index.get(&key, &mut value);
    }
}

fn indexes() -> Vec<Vec<u8>> {
    let entries: [&[(&str, &str)]; 3] = [
        &[("ext4", "k/ext4.ko: k/jbd2.ko"), ("jbd2", "k/jbd2.ko:"), ("exfat", "x")],
        &[
            ("pci:v*d2*", "a"),
            ("pci:v1[0-9]*", "b"),
            ("pci:v?", "c"),
            ("pci:v\\*", "d"),
            ("*", "e"),
        ],
        &[("a", "1"), ("a", "2"), ("aa", "3"), ("aaa", "4"), ("", "5")],
    ];
    let keys = ["ext4", "pci:v12d2", "a"];
    let file = |(entries, key): (&[(&str, &str)], &str)| {
        let mut writer = IndexWriter::default();
        for (number, (key, value)) in entries.iter().enumerate() {
            writer.insert(key.as_bytes(), value.as_bytes(), number as u32).unwrap();
        }
        [key.as_bytes(), b"\n", &writer.finish().unwrap()].concat()
    };
    entries.into_iter().zip(keys).map(file).collect()
}

fn index_write(_: &Scratch, input: &[u8]) {
    let mut writer = IndexWriter::default();
    let mut all: Vec<(&[u8], u32, &[u8])> = Vec::new();
    for line in text::lines(input) {
        let at = line.iter().position(|&c| c == b' ').unwrap_or(line.len());
        let (key, value) = (&line[..at], &line[at..]);
        let priority = u32::from(*value.last().unwrap_or(&0));
        if !value.contains(&0) && writer.insert(key, value, priority).is_ok() {
            // Of equal priorities the later comes first.
            all.insert(0, (key, priority, value));
        }
    }
    all.sort_by_key(|(key, priority, _)| (*key, *priority));
    let index = opened(&writer.finish().unwrap()).unwrap();
    let mut dumped = Vec::new();
    let result = index.dump(&mut |key, value| dumped.push((key.to_vec(), value.to_vec())));
    // Of what takes much more room than the index, the text is the better list.
    let is_whole = match result {
        Ok(()) => true,
        Err(damage) => {
            assert_eq!(damage.what, "too much in it");
            false
        }
    };
    let expected = all.iter().map(|(key, _, value)| (key.to_vec(), value.to_vec()));
    assert!(!is_whole || dumped.into_iter().eq(expected));
    let is_wild = |c: &u8| matches!(c, b'*' | b'?' | b'[');
    let mut value = Vec::new();
    let distinct = all.chunk_by(|(key, ..), (other, ..)| key == other);
    for entries in distinct.clone().take(64) {
        let (key, _, expected) = entries[0];
        assert!(index.get(key, &mut value).unwrap() && value == expected);
    }
    for (text, ..) in all.iter().take(4) {
        // A text with wildcards in it may also be a key to the letter.
        let text = text.iter().map(|c| if is_wild(c) { b'a' } else { *c }).collect::<Vec<_>>();
        // What is refused is beyond all use; the text file is read then.
        let Ok(found) = index.matching(&text) else { continue };
        let is_match = |(key, ..): &&(&[u8], u32, &[u8])| {
            // Up to its first wildcard, a key is plain.
            let (plain, pattern) = key.split_at(key.iter().position(is_wild).unwrap_or(key.len()));
            text.strip_prefix(plain).is_some_and(|rest| glob(pattern, rest))
        };
        assert_eq!(found.len(), all.iter().filter(is_match).count());
    }
}

fn tables(scratch: &Scratch, input: &[u8]) {
    let [name, dependencies, aliases, symbols] = pieces(input);
    let name = &name[..name.len().min(256)];
    for (file, content) in
        [("modules.dep", dependencies), ("modules.alias", aliases), ("modules.symbols", symbols)]
    {
        scratch.put(&format!("{MODULES}/{file}"), content);
    }
    let modules = scratch.modules();
    let module = ModuleName::new(name);
    let mut line = Vec::new();
    modules.line(&module, &mut line);
    assert!(!line.contains(&b'\n') && line.len() <= dependencies.len());
    assert_eq!(modules.contains(&module), !line.is_empty());
    assert_eq!(modules.module_file(&module).is_some(), !line.is_empty());
    let lines = modules.alias_lines();
    assert!(lines.len() <= 2 * input.len());
    let _ = modules.exporting(name);
    // The binary index of the same aliases gives the same modules; one that a name with a wildcard
    // in it means to the letter as well, twice.
    let mut writer = IndexWriter::default();
    let mut is_equal = !name.iter().any(|c| matches!(c, b'*' | b'?' | b'['));
    for (number, line) in (0..).zip(text::lines(aliases)) {
        if let Some((pattern, module)) = text::alias(line) {
            if let Some(folded) = fold_alias(pattern) {
                // Before any wildcard, a backslash is plain there.
                is_equal &= !folded.contains(&b'\\') && !module.contains(&0);
                is_equal &= writer.insert(folded, module, number).is_ok();
            }
        }
    }
    let found = modules.aliased(name);
    let index = opened(&writer.finish().unwrap()).unwrap();
    if let (true, Ok(values)) = (is_equal, index.matching(name)) {
        let values = values.into_iter().map(|value| ModuleName::folded(value.bytes));
        assert!(values.eq(found));
    }
    assert!(modules.take_warnings().is_empty() && !modules.is_partial());
}

fn builtin(scratch: &Scratch, input: &[u8]) {
    let [name, builtin, modinfo] = pieces(input);
    scratch.put(&format!("{MODULES}/modules.builtin"), builtin);
    scratch.put(&format!("{MODULES}/modules.builtin.modinfo"), modinfo);
    let modules = scratch.modules();
    let name = &name[..name.len().min(256)];
    let _ = (modules.is_builtin(&ModuleName::new(name)), modules.builtin_aliased(name));
    let fields = modules.builtin_fields(&ModuleName::new(name));
    assert!(fields.len() <= modinfo.len() + 1);
    assert!(entries(&fields).filter(|(key, _)| *key == b"file").count() <= modinfo.len());
}

fn configuration(scratch: &Scratch, conf: &[u8]) -> Config {
    let path = scratch.put("etc/f.conf", conf);
    scratch.put("proc/cmdline", b"");
    Config::load(&scratch.root(), &[path.into()], Path::new("/nowhere"))
}

fn modprobe_d(scratch: &Scratch, input: &[u8]) {
    let config = configuration(scratch, input);
    for name in ["snd_hda", "a", "x"].map(|name| ModuleName::new(name.as_bytes())) {
        let _ = (config.is_blacklisted(&name), config.denial(&name), config.softdep(&name));
        let _ = (config.options(&name, Some(b"pci:v1")), config.install_command(&name));
        let _ = (config.remove_command(&name), config.aliased(name.as_bytes()).count());
    }
    let text = config.text();
    assert!(Json::read(config.json().document().as_bytes()).is_ok());
    let told: usize =
        config.errors.iter().chain(&config.warnings).map(|e| e.to_string().len()).sum();
    assert!(told <= 256 * input.len() + 256);
    // What was understood is understood again.
    if config.errors.is_empty() && config.warnings.is_empty() && !input.contains(&b'\\') {
        let again = configuration(scratch, &text);
        assert_eq!(again.blacklist, config.blacklist);
        assert_eq!(again.aliases, config.aliases);
        assert_eq!(again.denials.len(), config.denials.len());
    }
}

fn planned(scratch: &Scratch, input: &[u8]) {
    let [name, conf, dependencies] = pieces(input);
    scratch.put(&format!("{MODULES}/modules.dep"), dependencies);
    let (config, modules) = (configuration(scratch, conf), scratch.modules());
    let sources = Sources { config: &config, modules: &modules };
    for target in resolve(sources, name).into_iter().take(4) {
        let goal = plan::insert(sources, &State::empty(), target, b"p=1", &Policy::default());
        if let Verdict::Steps(steps) = goal.verdict {
            let required = steps.iter().filter(|step| step.required).count();
            assert!(required <= input.len());
            let mut text = Vec::new();
            steps.iter().for_each(|step| step.write(&mut text));
        }
    }
}

fn depmod_d(scratch: &Scratch, input: &[u8]) {
    let path = scratch.put("etc/d.conf", input);
    let config = DepmodConfig::load(&scratch.root(), &[path.into()], b"6.1.0-13-amd64");
    assert!(!config.searches.is_empty());
    assert!(config.externals.iter().all(|directory| directory.starts_with(b"/")));
    let told = config.errors.iter().chain(&config.warnings).chain(&config.notices);
    assert!(told.map(|error| error.to_string().len()).sum::<usize>() <= 256 * input.len() + 256);
}

fn release(scratch: &Scratch, input: &[u8]) {
    let line = [b"external ", input, b" /a\n"].concat();
    let path = scratch.put("etc/d.conf", &line);
    for release in [&b"6.1.0-13-amd64"[..], &[b'6'; 64]] {
        DepmodConfig::load(&scratch.root(), &[path.clone().into()], release);
    }
}

fn listed(scratch: &Scratch, line: &[u8]) -> Vec<modules_load::Listed> {
    let mut errors = Vec::new();
    let listed = modules_load::listed(&scratch.root(), line, true, &mut errors);
    assert!(errors.is_empty());
    listed
}

fn lists(scratch: &Scratch, input: &[u8]) {
    scratch.put("etc/modules", b"");
    scratch.put("etc/modules-load.d/a.conf", input);
    let modules = listed(scratch, b"");
    assert!(modules.iter().all(|module| !module.name.is_empty()));
    scratch.put("etc/modules-load.d/a.conf", b"");
    scratch.put("etc/modules", input);
    let again = listed(scratch, b"");
    assert!(again.iter().map(|module| &module.name).eq(modules.iter().map(|module| &module.name)));
    scratch.put("etc/modules", b"");
}

fn command_line(scratch: &Scratch, input: &[u8]) {
    scratch.put("proc/cmdline", input);
    let config = Config::of_command_line(&scratch.root());
    let told: usize = config.errors.iter().map(|error| error.to_string().len()).sum();
    assert!(told <= 256 * input.len() + 256, "{told} bytes told of {}", input.len());
    let options: usize = config.options.iter().map(|(_, text)| text.len()).sum();
    assert!(options <= input.len() + 2 * config.options.len());
    // As the kernel has it in the file, with a line feed.
    scratch.put("proc/cmdline", &[input.trim_ascii_end(), b"\n"].concat());
    assert!(Config::of_command_line(&scratch.root()).options == config.options);
    assert!(listed(scratch, input).len() <= input.len());
}

/// What files are decompressed to here at most.
const LIMIT: u64 = 64 << 10;

fn gzip(_: &Scratch, input: &[u8]) {
    decompressed(Kind::Gzip, input);
}

fn xz(_: &Scratch, input: &[u8]) {
    decompressed(Kind::Xz, input);
}

fn zstd(_: &Scratch, input: &[u8]) {
    decompressed(Kind::Zstd, input);
}

fn decompressed(kind: Kind, input: &[u8]) {
    if Kind::of(input) != kind {
        return;
    }
    let files = |input: &[u8], limit| {
        let output = Decompressor::default().into_output(kind, input, limit);
        output.map(|output| output.to_vec())
    };
    let unpack = |limit| files(input, limit);
    match unpack(LIMIT) {
        Ok(output) => {
            let length = output.len() as u64;
            assert!(length <= LIMIT);
            assert!(unpack(length).is_ok_and(|again| again == output));
            if length > 0 {
                assert_eq!(unpack(length - 1).unwrap_err(), Failure::TooLarge(length - 1));
            }
            // Two files one after another are both.
            let twice = files(&input.repeat(2), 2 * LIMIT);
            if !input.ends_with(&[0]) {
                assert!(twice.is_ok_and(|twice| twice == output.repeat(2)));
            }
        }
        Err(failure) => assert!(!failure.to_string().is_empty()),
    }
    // What one file leaves behind is not the next one's.
    let mut decompressor = Decompressor::default();
    let first = decompressor.decompress(kind, input, LIMIT).map(<[u8]>::to_vec);
    let second = decompressor.decompress(kind, input, LIMIT).map(<[u8]>::to_vec);
    assert!(first == second);
}

fn message(_: &Scratch, input: &[u8]) {
    let check = |modaliases: &[Vec<u8>]| {
        assert!(modaliases.iter().all(|modalias| !modalias.is_empty()));
        assert!(modaliases.iter().map(Vec::len).sum::<usize>() <= 2 * input.len() + 16);
    };
    match uevent::parse(input) {
        News::Added { path, modaliases } => {
            assert!(path.starts_with(b"/devices/"));
            check(&modaliases);
        }
        News::Removed { path } => assert!(path.starts_with(b"/devices/")),
        News::Other | News::Lost => {}
    }
    let mut modaliases = Vec::new();
    announced(input, b'\n', &mut modaliases);
    check(&modaliases);
}

fn kernel_log(scratch: &Scratch, input: &[u8]) {
    scratch.put("dev/kmsg", b"");
    let mut log = KernelLog::new(&scratch.root());
    log.mark();
    scratch.put("dev/kmsg", input);
    for killed in [None, Some(17)] {
        let told = log.since_mark(b"ext4", killed);
        assert!(told.len() <= 64 && told.iter().all(|line| !line.contains('\n')));
    }
}

fn json(_: &Scratch, input: &[u8]) {
    if let Ok(value) = Json::read(input) {
        let text = value.document();
        let again = Json::read(text.as_bytes()).unwrap().document();
        assert_eq!(again, text);
        let _ = (value.get("a").is_some(), value.number(), value.as_text(), value.list().is_some());
    }
}

fn trace(_: &Scratch, input: &[u8]) {
    let Ok(trace) = Trace::read(&traced(input)) else { return };
    let path = critical(&trace);
    assert!(path.len() <= trace.modules.iter().map(|module| module.phases.len() + 1).sum());
    let ends = trace.modules.iter().map(|module| module.end()).max().unwrap_or(0);
    let shares: u64 = path.iter().map(|step| step.share).sum();
    assert!(shares <= ends, "{shares} of {ends}");
    let _ = trace.totals();
    if trace.jobs <= 64 && trace.total < 1 << 40 {
        let again = Trace::read(trace.document().as_bytes()).unwrap();
        assert_eq!(again.modules.len(), trace.modules.len());
        assert_eq!(again.jobs, trace.jobs);
    }
}

/// The input as a trace's events, unless it is a whole file.
fn traced(input: &[u8]) -> Vec<u8> {
    if input.starts_with(b"{\"traceEvents\"") {
        return input.to_vec();
    }
    let start = b"{\"traceEvents\": [";
    let end = b"],\n\"otherData\": {\"program\": \"nanomod 1\", \"jobs\": 2, \"total\": 9}}";
    [start, input.trim_ascii_end().strip_suffix(b",").unwrap_or(input), end].concat()
}

fn traces() -> Vec<Vec<u8>> {
    let all = EVENTS[0].to_vec();
    let last = [&all[..all.len() - 2], b", ", EVENTS[1], b"}"].concat();
    vec![
        last.clone(),
        [&all, &b" "[..], EVENTS[2], &last].concat(),
        crate::format::trace::tests::sample().document().into_bytes(),
    ]
}

fn timeline(scratch: &Scratch, input: &[u8]) {
    let file = scratch.put("trace.json", &traced(input));
    let picture = scratch.path("picture.svg");
    let words = ["-o".into(), picture.clone().into(), file.clone().into()];
    let is_trace = Trace::read(&traced(input)).is_ok();
    let status = |name: &[u8], words: &[OsString]| applets::by_word(name).unwrap().start(words);
    assert_eq!(status(b"timeline", &words) == Status::Success, is_trace);
    if is_trace {
        let picture = fs::read(&picture).unwrap();
        assert!(picture.ends_with(b"</svg>\n"));
        assert!(String::from_utf8(picture).is_ok());
    }
    for words in [&[file.clone().into()][..], &["--json".into(), file.into()]] {
        assert_eq!(status(b"cost", words) == Status::Success, is_trace);
    }
}

fn symbols(_: &Scratch, input: &[u8]) {
    let all = symvers::module_symvers(input).chain(symvers::system_map(input, None));
    for line in all.chain(symvers::system_map(input, Some(b'.'))) {
        match line {
            Ok(Some((name, _))) => assert!(!name.contains(&b'\n')),
            Ok(None) => {}
            Err(number) => assert!((1..=input.len() + 1).contains(&number)),
        }
    }
}

fn globs(_: &Scratch, input: &[u8]) {
    let (pattern, text) = first_line(input);
    let text = &text[..text.len().min(256)];
    let is_match = glob(pattern, text);
    let mut buffer = Vec::new();
    let folded = fold_alias(pattern).is_some_and(|pattern| glob(&pattern, text));
    assert_eq!(matches(pattern, text, &mut buffer), folded);
    // The C library's takes its time for many stars, and has its own ways with brackets.
    let stars = pattern.iter().filter(|&&c| c == b'*').count();
    let is_odd = pattern.iter().any(|c| matches!(c, b'[' | b'\\' | 0) || !c.is_ascii());
    if stars < 4 && !is_odd && text.is_ascii() && !text.contains(&0) {
        assert_eq!(is_match, measure::system_glob(pattern, text));
    }
}

fn options(_: &Scratch, input: &[u8]) {
    let words: Vec<OsString> =
        text::lines(input).map(|word| OsString::from_vec(word.to_vec())).collect();
    let joined = params::join(&words);
    assert!(joined.len() <= input.len() + 2 * words.len());
    assert!(c_string(&joined).as_bytes().len() <= joined.len());
    // Where nothing is quoted already, the kernel takes each word for one parameter.
    let is_plain = |word: &[u8]| {
        let (key, value) = word.split_at(word.iter().position(|&c| c == b'=').unwrap_or(0));
        !key.is_empty() && !key.contains(&b' ') && value.len() > 1 && value[1] != b'\''
    };
    if !input.contains(&b'"') && text::lines(input).all(is_plain) {
        let mut quoted = false;
        let parameters = joined.split(|&c| {
            quoted ^= c == b'"';
            c == b' ' && !quoted
        });
        let parameters = parameters.map(|word| text::replace(word, b"\"", b""));
        assert!(parameters.eq(text::lines(input).map(<[u8]>::to_vec)));
    }
}

fn proc_modules(scratch: &Scratch, input: &[u8]) {
    scratch.put("proc/modules", input);
    let mut state = State::read(&scratch.root());
    let modules = state.modules().unwrap();
    assert!(modules.len() <= input.len());
    let Some(name) = modules.first().map(|module| module.name.clone()) else { return };
    assert!(state.get(&name).is_some());
    let _ = state.is_live(&name);
    state.forget(&name);
    assert!(state.get(&name).is_none());
    let mut holders = state.modules().unwrap().iter().flat_map(|module| &module.holders);
    assert!(holders.all(|holder| *holder != name));
}

fn depmod(scratch: &Scratch, input: &[u8]) {
    let [order, symvers, one, other] = pieces(input);
    let kernel = format!("{MODULES}/kernel");
    fs::create_dir_all(scratch.path(&kernel)).unwrap();
    scratch.put(&format!("{MODULES}/modules.order"), order);
    scratch.put(&format!("{MODULES}/modules.builtin"), order);
    scratch.put(&format!("{MODULES}/modules.builtin.modinfo"), symvers);
    scratch.put(&format!("{kernel}/a.ko"), one);
    scratch.put(&format!("{kernel}/b.ko"), other);
    let symvers = scratch.put("symvers", symvers);
    let conf = scratch.put("etc/empty.conf", b"");
    let base = scratch.path("").into_os_string();
    let mut words: Vec<OsString> = ["-j", "1", "-C"].map(OsString::from).into();
    words.extend([conf.into(), "-b".into(), base, "-w".into()]);
    if input.len() % 2 == 1 {
        words.extend(["-e".into(), "-E".into(), symvers.into()]);
    }
    words.push("6.1".into());
    let status = {
        // It keeps its lock to the end of the process.
        let _lock = measure::Closes::next();
        applets::by_link(b"depmod").unwrap().start(&words)
    };
    let modules = scratch.modules();
    let found = ["a", "b"].map(|name| ModuleName::new(name.as_bytes()));
    if status == Status::Success {
        // What is left out was told, and is no success, but for what is plainly no module.
        let _ = found.each_ref().map(|name| modules.contains(name));
    }
    let _ = modules.aliased(b"pci:v1d1");
    let _ = modules.exporting(b"symbol:one");
    let _ = modules.builtin_aliased(b"x");
    // What it writes can be read.
    let warnings = modules.take_warnings();
    assert!(warnings.is_empty(), "{}", warnings[0]);
}
