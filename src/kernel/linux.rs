//! The running kernel.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::execute::c_string;
use super::log::KernelLog;
use super::{InsertFlags, Kernel};
use crate::entry::process;
pub use crate::entry::process::{ignore_signals, processors};
use crate::files;
use crate::name::ModuleName;
use crate::root::Root;
use crate::state::has_module_support;

/// `MODULE_INIT_COMPRESSED_FILE`, since Linux 5.17.
const COMPRESSED_FILE: u32 = 4;

/// The running kernel.
pub struct Linux {
    system: Root,
    compression: OnceCell<String>,
    /// Where commands that are run find modprobe's options, if there are any.
    options: Option<Vec<u8>>,
    /// Open from the first mark on, unless errors are not to be shown.
    log: Option<RefCell<KernelLog>>,
    /// The number of a refusal that has no name.
    unnamed: Cell<i32>,
}

impl Linux {
    /// The running kernel, with its `/sys` and `/dev` below `system`. Its log is
    /// read on failures only if `explain` says so.
    pub fn new(system: Root, explain: bool) -> Self {
        let log = explain.then(|| RefCell::new(KernelLog::new(&system)));
        Self { system, compression: OnceCell::new(), options: None, log, unnamed: Cell::new(0) }
    }

    fn log(&self) -> Option<RefMut<'_, KernelLog>> {
        self.log.as_ref()?.try_borrow_mut().ok()
    }

    /// Notes the number of a refusal that nix has no name for.
    fn note(&self, result: Result<(), Errno>) -> Result<(), Errno> {
        if result == Err(Errno::UnknownErrno) {
            self.unnamed.set(Errno::last_raw());
        }
        result
    }

    /// The same, whose commands find `options` where modprobe looks for some.
    pub fn with_options(mut self, options: Vec<u8>) -> Self {
        if !options.is_empty() {
            self.options = Some(options);
        }
        self
    }
}

impl Kernel for Linux {
    fn finit_module(&self, file: &File, params: &CStr, flags: InsertFlags) -> Result<(), Errno> {
        let mut bits = ModuleInitFlags::empty();
        bits.set(ModuleInitFlags::MODULE_INIT_IGNORE_MODVERSIONS, flags.ignore_modversions);
        bits.set(ModuleInitFlags::MODULE_INIT_IGNORE_VERMAGIC, flags.ignore_vermagic);
        bits.set(ModuleInitFlags::from_bits_retain(COMPRESSED_FILE), flags.compressed_file);
        self.note(nix::kmod::finit_module(file, params, bits))
    }

    fn init_module(&self, image: &[u8], params: &CStr) -> Result<(), Errno> {
        self.note(nix::kmod::init_module(image, params))
    }

    fn delete_module(&self, name: &CStr, force: bool) -> Result<(), Errno> {
        let mut flags = DeleteModuleFlags::O_NONBLOCK;
        flags.set(DeleteModuleFlags::O_TRUNC, force);
        nix::kmod::delete_module(name, flags)
    }

    fn run(&self, command: &[u8], module: &ModuleName) -> io::Result<ExitStatus> {
        let mut variables = vec![c_string(&[&b"MODPROBE_MODULE="[..], module.as_bytes()].concat())];
        if let Some(options) = &self.options {
            variables.push(c_string(&[&b"MODPROBE_OPTIONS="[..], options].concat()));
        }
        let status = process::run_command(&c_string(command), &variables)?;
        Ok(ExitStatus::from_raw(status))
    }

    fn memfd_create(&self) -> Result<File, Errno> {
        memfd_create(c"module", MFdFlags::MFD_CLOEXEC).map(File::from)
    }

    fn has_modules(&self) -> bool {
        has_module_support(&self.system)
    }

    fn compression(&self) -> &str {
        self.compression.get_or_init(|| {
            let text = files::read(&self.system.join("/sys/module/compression"));
            String::from_utf8_lossy(text.unwrap_or_default().trim_ascii_end()).into_owned()
        })
    }

    fn mark_log(&self) {
        if let Some(mut log) = self.log() {
            log.mark();
        }
    }

    fn log_since_mark(&self, name: &[u8], killed: Option<i32>) -> Vec<String> {
        self.log().map(|mut log| log.since_mark(name, killed)).unwrap_or_default()
    }

    fn unnamed(&self) -> i32 {
        self.unnamed.get()
    }
}

/// Whether the root is an initramfs's: in memory, or marked as systemd does it.
pub fn is_initramfs(system: &Root) -> bool {
    use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
    /// Of the file system that the kernel starts with (`linux/magic.h`).
    const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);
    let kind = statfs(&system.join("/")).map(|root| root.filesystem_type());
    kind.is_ok_and(|kind| kind == TMPFS_MAGIC || kind == RAMFS_MAGIC)
        || system.join("/etc/initrd-release").exists()
}

/// The running kernel's machine, as `uname -m` prints it.
pub fn machine() -> Result<String, Errno> {
    Ok(nix::sys::utsname::uname()?.machine().to_string_lossy().into_owned())
}

/// The running kernel's release, as `uname -r` prints it.
pub fn release() -> Result<Vec<u8>, Errno> {
    use std::os::unix::ffi::OsStrExt;
    Ok(nix::sys::utsname::uname()?.release().as_bytes().to_vec())
}
