//! Firmware that a driver asks for and that the kernel would not find.
//!
//! A module names its files in its `.modinfo` (`firmware=`). The kernel looks for them in
//! the directory of its parameter `firmware_class.path` and in four of its own, plain or
//! compressed (kernel: `drivers/base/firmware_loader/main.c`).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::linux::release;
use crate::error::{Cause, errno};
use crate::files;
use crate::format::compression::Kind;
use crate::format::elf::{MODINFO, ModuleElf, entries};
use crate::format::parts::Parts;
use crate::large::Large;
use crate::root::Root;

/// Where the parameter stands.
const PARAMETER: &str = "/sys/module/firmware_class/parameters/path";

/// What a file's name may end with.
const SUFFIXES: [&str; 3] = ["", ".zst", ".xz"];

/// The firmware of a module.
pub struct Firmware {
    /// What is not there, in the module's order.
    pub missing: Vec<String>,
    /// Whether any is there.
    pub has_any: bool,
    /// Why it is not known which these are.
    pub unknown: Option<Cause>,
}

impl Firmware {
    /// That of the module in the file `module`, looked for below `system`.
    pub fn of(system: &Root, module: &Path) -> Self {
        let mut firmware = Self { missing: Vec::new(), has_any: false, unknown: None };
        let mut look = |modinfo: &[u8]| {
            let (mut directories, mut file) = (Large::default(), Large::default());
            for (_, name) in entries(modinfo).filter(|(key, _)| *key == b"firmware") {
                if directories.is_empty() {
                    directories = self::directories(system, &mut firmware.unknown);
                }
                // A pattern is for those who make images.
                if name.contains(&b'*') {
                    firmware.has_any = true;
                    continue;
                }
                match is_there(&directories, name, &mut file.0) {
                    Ok(true) => firmware.has_any = true,
                    Ok(false) => firmware.missing.push(String::from_utf8_lossy(name).into_owned()),
                    Err(errno) => firmware.unknown = Some(errno.into()),
                }
            }
        };
        if let Err(cause) = with_modinfo(module, &mut look) {
            firmware.unknown = Some(cause);
        }
        firmware
    }
}

/// Has `look` look at the `.modinfo` of the module file `path`, of which no more is read than
/// that where it is not compressed. What is no module asks for nothing.
fn with_modinfo(path: &Path, look: &mut dyn FnMut(&[u8])) -> Result<(), Cause> {
    let file = files::open(path)?;
    if files::kind(&file)? != Kind::Plain {
        let image = files::read_module(path)?;
        if let Ok(elf) = ModuleElf::parse(&image) {
            look(elf.section(MODINFO).unwrap_or_default());
        }
        return Ok(());
    }
    let mut buffer = Large::default();
    let length = file.metadata()?.len();
    let mut parts = Parts::new(file, length, &mut buffer.0);
    let place = ModuleElf::outline(&mut parts).ok().and_then(|elf| elf.place(MODINFO));
    let modinfo = place.and_then(|(start, count)| parts.part(start, count));
    if let Some(error) = parts.error() {
        return Err(error.into());
    }
    look(modinfo.and_then(|modinfo| parts.buffer().get(modinfo)).unwrap_or_default());
    Ok(())
}

/// Where firmware lies, each directory with a NUL behind it.
fn directories(system: &Root, unknown: &mut Option<Cause>) -> Large<u8> {
    let own = files::read(&system.join(PARAMETER)).unwrap_or_else(|error| {
        if errno(&error) != Errno::ENOENT {
            *unknown = Some(error.into());
        }
        Vec::new()
    });
    let own = own.trim_ascii();
    let usual = system.join("/lib/firmware");
    let usual = usual.as_os_str().as_bytes();
    let release = release().unwrap_or_default();
    let mut all = Large::default();
    let mut add = |parts: &[&[u8]]| {
        parts.iter().for_each(|part| all.0.extend_from_slice(part));
        all.0.push(0);
    };
    if !own.is_empty() {
        add(&[own]);
    }
    for [first, second] in
        [[&b"/updates/"[..], &release], [b"/updates", b""], [b"/", &release], [b"", b""]]
    {
        add(&[usual, first, second]);
    }
    all
}

/// Whether the file `name` is in one of the `directories`; its path is made in `file`.
fn is_there(directories: &[u8], name: &[u8], file: &mut Vec<u8>) -> Result<bool, Errno> {
    for directory in directories.split(|&c| c == 0).filter(|directory| !directory.is_empty()) {
        for suffix in SUFFIXES {
            file.clear();
            for part in [directory, b"/", name, suffix.as_bytes()] {
                file.extend_from_slice(part);
            }
            match fs::metadata(Path::new(OsStr::from_bytes(file))).map_err(|error| errno(&error)) {
                Ok(_) => return Ok(true),
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(false)
}
