//! The devices that the kernel has found, from `/sys/devices`.
//!
//! A device is a directory (kernel: `Documentation/admin-guide/sysfs-rules.rst`). What
//! drivers it wants stands in its file `modalias`; some buses have none and say it in
//! `uevent`, in a line `MODALIAS=…`, alone. Devices come and go while they are read:
//! what can't be read is not there.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::files;
use crate::format::text::lines;
use crate::root::Root;

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
    /// What it is.
    pub modaliases: Vec<Vec<u8>>,
    /// Whether a driver has it, or another device stands for it.
    pub bound: bool,
}

/// What a directory of devices holds.
#[derive(Default)]
struct Entries {
    modalias: bool,
    uevent: bool,
    subsystem: bool,
    node: bool,
    driver: bool,
    directories: Vec<Vec<u8>>,
}

/// Calls `found` for each device that says which drivers it wants, sorted by where they
/// are.
pub fn walk(system: &Root, found: &mut dyn FnMut(Device)) {
    descend(&system.join("/sys/devices"), b"/devices", 0, found);
}

fn descend(directory: &Path, path: &[u8], depth: usize, found: &mut dyn FnMut(Device)) {
    let Some(mut entries) = entries(directory) else { return };
    if let Some(modalias) = modalias(directory, &entries).filter(|modalias| !modalias.is_empty()) {
        found(Device { path: path.to_vec(), modaliases: vec![modalias], bound: entries.driver });
    }
    let is_leaf = SILENT.contains(&path) || path.strip_prefix(SYSTEM).is_some_and(is_name);
    if is_leaf || depth == DEPTH {
        return;
    }
    entries.directories.sort();
    for name in entries.directories {
        let below = directory.join(std::ffi::OsStr::from_bytes(&name));
        descend(&below, &[path, b"/", &name].concat(), depth + 1, found);
    }
}

fn is_name(rest: &[u8]) -> bool {
    !rest.is_empty() && !rest.contains(&b'/')
}

fn entries(directory: &Path) -> Option<Entries> {
    let mut found = Entries::default();
    for entry in files::entries(directory).ok()? {
        match entry.name.as_bytes() {
            b"modalias" => found.modalias = true,
            b"uevent" => found.uevent = true,
            b"subsystem" => found.subsystem = true,
            b"dev" => found.node = true,
            // A device of ACPI's names is mostly another one's shadow.
            b"driver" | b"physical_node" => found.driver = true,
            name if NO_DEVICES.contains(&name) => {}
            name if entry.kind.is_some_and(|kind| kind.is_dir()) => {
                found.directories.push(name.to_vec());
            }
            _ => {}
        }
    }
    Some(found)
}

fn modalias(directory: &Path, entries: &Entries) -> Option<Vec<u8>> {
    if entries.modalias {
        let text = files::read(&directory.join("modalias")).ok()?;
        return Some(text.trim_ascii_end().to_vec());
    }
    // What has a node has a driver, or is one's.
    if !entries.uevent || !entries.subsystem || entries.node || entries.driver {
        return None;
    }
    let text = files::read(&directory.join("uevent")).ok()?;
    lines(&text).find_map(|line| Some(line.strip_prefix(b"MODALIAS=")?.to_vec()))
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
        write("pci0/e/modalias", "\n");
        write("system/cpu/modalias", "cpu:x\n");
        write("system/cpu/cpu0/modalias", "cpu:x\n");
        write("virtual/tty/tty1/modalias", "no\n");
        write("virtual/dmi/id/modalias", "dmi:x\n");
        let mut found = Vec::new();
        walk(&Root::new(dir.path()), &mut |device| found.push(device));
        let found: Vec<_> = found
            .iter()
            .map(|device| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                (text(&device.path), text(&device.modaliases[0]), device.bound)
            })
            .collect();
        let device = |path: &str, modalias: &str, bound| (path.into(), modalias.into(), bound);
        assert_eq!(
            found,
            [
                device("/devices/pci0/a", "platform:Fixed MDIO bus", true),
                device("/devices/pci0/b", "pci:b", false),
                device("/devices/pci0/c", "auxiliary:y.z", false),
                device("/devices/system/cpu", "cpu:x", false),
                device("/devices/virtual/dmi/id", "dmi:x", false),
            ]
        );
    }
}
