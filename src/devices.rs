//! The devices that the kernel has found, from `/sys/devices`.
//!
//! A device is a directory (kernel: `Documentation/admin-guide/sysfs-rules.rst`). What
//! drivers it wants stands in its file `modalias`, a line for each name that it goes by;
//! some buses have none and say it in `uevent`, in lines `MODALIAS=…`, alone. What a device
//! tree says of a device stands there, too. Devices come and go while they are read: what is
//! gone is not there; what can't be read for another reason is told.
//!
//! There may be thousands of directories: names and contents are read into the same memory
//! each time.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, errno};
use crate::files::{self, Kind, for_each_entry};
use crate::format::text::{behind, lines};
use crate::large::Large;
use crate::root::Root;

/// What is below `/sys`.
const DEVICES: &[u8] = b"/devices";

/// Deeper than any bus.
const DEPTH: usize = 64;

/// Directories of attributes that many devices have: no device is below them.
const NO_DEVICES: [&[u8]; 9] = [
    b"power",
    b"statistics",
    b"queue",
    b"queues",
    b"mq",
    b"integrity",
    b"holders",
    b"slaves",
    b"msi_irqs",
];

/// Classes whose devices want no driver, and of which there are a hundred on any machine.
const SILENT: [&[u8]; 4] = [
    b"/devices/virtual/tty",
    b"/devices/virtual/vc",
    b"/devices/virtual/mem",
    b"/devices/virtual/bdi",
];

/// Processors, blocks of memory and the like: what there is to say stands right below.
const SYSTEM: &[u8] = b"/devices/system/";

/// A device that says which drivers it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where it is, from `/devices` on.
    pub path: Vec<u8>,
    /// What it is: one name or several.
    pub modaliases: Vec<Vec<u8>>,
    /// Whether a driver has it, or another device stands for it.
    pub bound: bool,
}

/// What is looked for in a directory, each with its bit.
const FILES: [(&[u8], u8); 7] = [
    (b"modalias", MODALIAS),
    (b"uevent", UEVENT),
    (b"subsystem", SUBSYSTEM),
    (b"dev", NODE),
    (b"of_node", TREE),
    (b"driver", DRIVER),
    // A device of ACPI's names is mostly another one's shadow.
    (b"physical_node", DRIVER),
];
const MODALIAS: u8 = 1;
const UEVENT: u8 = 2;
const SUBSYSTEM: u8 = 4;
const NODE: u8 = 8;
const TREE: u8 = 16;
const DRIVER: u8 = 32;

/// Calls `found` for each device that says which drivers it wants, sorted by where they
/// are, but for those at a path that `is_known`: nothing of them is kept in memory. An error
/// is the first directory or file that could not be read, though it is there.
pub fn walk(
    system: &Root,
    is_known: &dyn Fn(&[u8]) -> bool,
    found: &mut dyn FnMut(Device),
) -> Result<(), Error> {
    let start = system.join("/sys");
    let start = start.as_os_str().as_bytes();
    let path = Large([start, DEVICES].concat());
    let (names, content) = Default::default();
    let start = start.len();
    let mut walk = Walk { start, path, names, content, is_known, found, error: None };
    walk.descend(0);
    walk.error.map_or(Ok(()), Err)
}

struct Walk<'a> {
    /// Where `/devices` starts in the path.
    start: usize,
    /// The directory that is looked at.
    path: Large<u8>,
    /// The directories in it and in those above it, each with a NUL behind it.
    names: Large<u8>,
    /// The file that was read last.
    content: Large<u8>,
    is_known: &'a dyn Fn(&[u8]) -> bool,
    found: &'a mut dyn FnMut(Device),
    /// What could not be read first.
    error: Option<Error>,
}

impl Walk<'_> {
    fn descend(&mut self, depth: usize) {
        let (length, first) = (self.path.len(), self.names.len());
        let files = self.files();
        let is_known = (self.is_known)(self.path.get(self.start..).unwrap_or_default());
        let (modaliases, bound) =
            if is_known { Default::default() } else { self.modaliases(files) };
        let path = self.path.get(self.start..).unwrap_or_default();
        let is_leaf = depth == DEPTH
            || SILENT.contains(&path)
            || path.strip_prefix(SYSTEM).is_some_and(|name| !name.contains(&b'/'));
        if !modaliases.is_empty() {
            (self.found)(Device { path: path.to_vec(), modaliases, bound });
        }
        // In order, without a list of them: the one after the one that the path ends with.
        loop {
            let last = self.path.get(length + 1..).unwrap_or_default();
            let names = self.names.get(first..).unwrap_or_default();
            let Some(next) = names.split(|&c| c == 0).filter(|name| !is_leaf && *name > last).min()
            else {
                break;
            };
            self.path.0.truncate(length);
            self.path.0.push(b'/');
            self.path.0.extend_from_slice(next);
            self.descend(depth + 1);
        }
        self.path.0.truncate(length);
        self.names.0.truncate(first);
    }

    /// Adds the directories in this one, and says which files it has.
    fn files(&mut self) -> u8 {
        let (mut files, names) = (0, &mut self.names.0);
        // Of one that is gone meanwhile, nothing or what was read before.
        let path = Path::new(OsStr::from_bytes(&self.path));
        let read = for_each_entry(path, &mut |name, kind| {
            if let Some((_, bit)) = FILES.iter().find(|(file, _)| *file == name) {
                files |= bit;
            } else if kind == Some(Kind::Directory) && !NO_DEVICES.contains(&name) {
                names.extend_from_slice(name);
                names.push(0);
            }
        });
        if let Err(error) = read {
            self.tell(error);
        }
        files
    }

    /// What the directory's device is, and whether it has what it wants.
    fn modaliases(&mut self, files: u8) -> (Vec<Vec<u8>>, bool) {
        let mut modaliases = Vec::new();
        let has = |file| files & file != 0;
        if has(MODALIAS) {
            for line in lines(self.read(b"/modalias")) {
                add(line, &mut modaliases);
            }
        }
        let is_wordless = modaliases.is_empty();
        let says_more = match is_wordless {
            // What has a node has a driver, or is one's.
            true => has(MODALIAS) || files & (SUBSYSTEM | NODE | DRIVER) == SUBSYSTEM,
            // Without a subsystem, it is made up for a test, and has no more links.
            false => has(TREE) || !has(SUBSYSTEM),
        };
        let mut bound = has(DRIVER);
        if has(UEVENT) && says_more && !is_of_tree(&modaliases) {
            // With a tree's name alone it is a part of a device that goes by that name.
            let is_said = announced(self.read(b"/uevent"), b'\n', &mut modaliases);
            bound |= !is_said;
        }
        (modaliases, bound)
    }

    /// The content of a file of the directory; empty where there is none.
    fn read(&mut self, name: &[u8]) -> &[u8] {
        let length = self.path.len();
        self.path.0.extend_from_slice(name);
        let file = files::open(Path::new(OsStr::from_bytes(&self.path)));
        let read = file.and_then(|file| files::read_into(&file, &mut self.content.0));
        let read = read.map_err(|error| self.tell(error)).unwrap_or_default();
        self.path.0.truncate(length);
        self.content.get(..read).unwrap_or_default()
    }

    /// Keeps why what the path names could not be read, unless a device went away with it.
    /// That there are no devices at all is no such thing.
    fn tell(&mut self, error: io::Error) {
        let is_gone = matches!(errno(&error), Errno::ENOENT | Errno::ENODEV);
        let is_below = self.path.len() > self.start + DEVICES.len();
        if self.error.is_none() && !(is_gone && is_below) {
            let path = Path::new(OsStr::from_bytes(&self.path));
            self.error = Some(Error::reading(path, error));
        }
    }
}

fn add(modalias: &[u8], modaliases: &mut Vec<Vec<u8>>) {
    let modalias = modalias.trim_ascii_end();
    if !modalias.is_empty() && !modaliases.iter().any(|other| other == modalias) {
        modaliases.push(modalias.to_vec());
    }
}

fn is_of_tree(modaliases: &[Vec<u8>]) -> bool {
    modaliases.iter().any(|modalias| modalias.starts_with(b"of:"))
}

/// What is looked for in a `uevent`.
const KEYS: [&[u8]; 4] = [b"MODALIAS=", b"OF_NAME=", b"OF_TYPE=", b"OF_COMPATIBLE_"];

/// Adds what a device is by its `uevent`, the lines of which end with `end`, or by the
/// kernel's message of it; whether it has a modalias by itself.
pub fn announced(uevent: &[u8], end: u8, modaliases: &mut Vec<Vec<u8>>) -> bool {
    let (mut name, mut kind, mut compatible) = (None, &b"(null)"[..], Vec::new());
    for line in uevent.split(|&c| c == end) {
        let Some(key) = KEYS.iter().position(|key| line.starts_with(key)) else { continue };
        let value = behind(line, b"=").unwrap_or_default();
        match key {
            0 => add(value, modaliases),
            1 => name = Some(value),
            2 => kind = value,
            // The line `OF_COMPATIBLE_N=` has their number.
            _ if behind(line, b"_N=").is_none() => {
                compatible.push(b'C');
                compatible.extend_from_slice(value);
            }
            _ => {}
        }
    }
    let is_said = !modaliases.is_empty();
    if let Some(name) = name.filter(|_| !compatible.is_empty() && !is_of_tree(modaliases)) {
        // As the kernel makes it (`of_modalias` in `drivers/of`), also where a bus has
        // another one.
        let mut alias = [b"of:N", name, b"T", kind, &compatible].concat();
        alias.iter_mut().filter(|c| **c == b' ').for_each(|c| *c = b'_');
        add(&alias, modaliases);
    }
    is_said
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn devices_are_found_by_modalias_and_uevent() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join("sys/devices").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("pci0/b/modalias", "pci:b\n");
        write("pci0/a/modalias", "platform:Fixed MDIO bus\n");
        write("pci0/a/driver", "");
        write("pci0/a/power/modalias", "no\n");
        write("pci0/c/uevent", "DRIVER=x\nMODALIAS=auxiliary:y.z\n");
        write("pci0/c/subsystem", "");
        write("pci0/d/uevent", "MODALIAS=not:a:device\n");
        write("pci0/d/dev", "1:1\n");
        write("pci0/e/modalias", "\n");
        write("pci0/f/modalias", "\n");
        write("pci0/f/uevent", "MODALIAS=pci:f\n");
        write("pci0/g/modalias", "acpi:PRP0001:\nof:NgT(null)Cx\n");
        write("pci0/g/of_node", "");
        write("pci0/g/uevent", "OF_NAME=h\nOF_COMPATIBLE_0=not\n");
        write("pci0/h/uevent", "MODALIAS=a:1\nX=y\nMODALIAS=a:2\n");
        write("pci0/h/subsystem", "");
        write("system/cpu/modalias", "cpu:x\n");
        write("system/cpu/cpu0/modalias", "cpu:x\n");
        write("virtual/tty/tty1/modalias", "no\n");
        write("virtual/dmi/id/modalias", "dmi:x\n");
        let mut found = Vec::new();
        walk(&Root::new(dir.path()), &|_| false, &mut |device| found.push(device)).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|device| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                (text(&device.path), text(&device.modaliases.join(&b'|')), device.bound)
            })
            .collect();
        let device = |path: &str, modalias: &str, bound| (path.into(), modalias.into(), bound);
        assert_eq!(
            found,
            [
                device("/devices/pci0/a", "platform:Fixed MDIO bus", true),
                device("/devices/pci0/b", "pci:b", false),
                device("/devices/pci0/c", "auxiliary:y.z", false),
                device("/devices/pci0/f", "pci:f", false),
                device("/devices/pci0/g", "acpi:PRP0001:|of:NgT(null)Cx", false),
                device("/devices/pci0/h", "a:1|a:2", false),
                device("/devices/system/cpu", "cpu:x", false),
                device("/devices/virtual/dmi/id", "dmi:x", false),
            ]
        );
    }

    #[test]
    fn what_a_device_tree_says_is_looked_up_too() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join("sys/devices/spi0").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let tree = "OF_NAME=eeprom\nOF_FULLNAME=/spi/eeprom@0\nOF_COMPATIBLE_0=acme,m 95\n\
                    OF_COMPATIBLE_1=st,m95\nOF_COMPATIBLE_N=2\n";
        for (device, modalias, uevent) in [
            ("a", "spi:m95\n", format!("{tree}MODALIAS=spi:m95\n")),
            ("b", "spi:x\n", format!("OF_TYPE=rom\n{tree}")),
            ("c", "spi:x\n", "OF_NAME=x\nOF_COMPATIBLE_N=0\n".to_owned()),
            ("e", "of:NxTyCz\n", tree.to_owned()),
        ] {
            write(&format!("{device}/modalias"), modalias);
            write(&format!("{device}/uevent"), &uevent);
            write(&format!("{device}/of_node/name"), "");
        }
        write("d/modalias", "spi:no-tree\n");
        write("d/uevent", tree);
        write("d/subsystem", "");
        write("f/uevent", tree);
        write("f/subsystem", "");
        write("f/of_node/name", "");
        let mut found = Vec::new();
        walk(&Root::new(dir.path()), &|_| false, &mut |device| {
            found.push((device.modaliases, device.bound))
        })
        .unwrap();
        let expected = [
            (&["spi:m95", "of:NeepromT(null)Cacme,m_95Cst,m95"][..], false),
            (&["spi:x", "of:NeepromTromCacme,m_95Cst,m95"], false),
            (&["spi:x"], false),
            (&["spi:no-tree"], false),
            (&["of:NxTyCz"], false),
            // Of a class: the device that it is one of has its driver.
            (&["of:NeepromT(null)Cacme,m_95Cst,m95"], true),
        ]
        .map(|(modaliases, bound)| {
            let bytes = |text: &&str| text.as_bytes().to_vec();
            (modaliases.iter().map(bytes).collect::<Vec<_>>(), bound)
        });
        assert_eq!(found, expected);
    }
}
