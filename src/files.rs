//! Opening and reading files in as few system calls as it takes: a call of
//! modprobe opens a dozen small ones.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::libc;
use nix::sys::stat::Mode;

use crate::entry::{machine_memory, process, read_entries};
use crate::error::{Cause, errno, is_interrupted};
use crate::format::compression::{self, Decompressor};
use crate::format::pages::Source;
use crate::format::text::{LONGEST, behind, lines, number, words};
use crate::large::{self, Large};

/// Read at once: most files end here.
const BLOCK: usize = 4096;

/// What of a list is read at once.
const SCANNED: usize = 64 << 10;

/// Of a file that is made: anybody may read it.
const MODE: Mode = Mode::from_bits_truncate(0o644);

/// More than any list or module: `/dev/zero` is neither.
const LIMIT: usize = 512 << 20;

/// Opens `path` for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlag::empty())
}

/// Opens `path` for reading what there is, and not waiting for more.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    open_with(path, OFlag::O_NONBLOCK)
}

fn open_with(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    // openat and not open: musl's open sets the close-on-exec flag once more,
    // for kernels older than 2.6.23.
    Ok(openat(AT_FDCWD, path, flags, Mode::empty())?.into())
}

/// Opens `path` for writing; a file is made and emptied as `flags` say.
pub fn open_to_write(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    Ok(openat(AT_FDCWD, path, flags, MODE)?.into())
}

/// Writes `content` to `path`, opened so.
pub fn write(path: &Path, flags: OFlag, content: &[u8]) -> io::Result<()> {
    open_to_write(path, flags)?.write_all(content)
}

/// What an entry of a directory is; links and devices are neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// What a directory has.
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// What it is, as far as the file system says that.
    pub kind: Option<Kind>,
}

/// All that is in `directory`, in the order of the file system.
pub fn entries(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut all = Vec::new();
    for_each_entry(directory, &mut |name, kind| {
        all.push(Entry { name: OsString::from_vec(name.to_vec()), kind });
    })?;
    Ok(all)
}

/// Room for the entries of most directories.
const ENTRIES: usize = 2048;

/// Calls `each` with the name of all that is in `directory`, and what it is. The standard
/// library's `read_dir` allocates each name, which is not given back.
pub fn for_each_entry(
    directory: &Path,
    each: &mut dyn FnMut(&[u8], Option<Kind>),
) -> io::Result<()> {
    let file = open_with(directory, OFlag::O_DIRECTORY)?;
    let mut entries = [0; ENTRIES];
    loop {
        let length = match read_entries(file.as_fd(), &mut entries) {
            Err(Errno::EINTR) => continue,
            length => length?,
        };
        let mut rest = entries.get(..length).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        // Two numbers of eight bytes, the length of the entry, its kind, and its name.
        while let Some((header, _)) = rest.split_first_chunk::<19>() {
            let [.., low, high, kind] = *header;
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = rest.get(header.len()..length).unwrap_or_default();
            rest = rest.get(length..).unwrap_or_default();
            let name = name.split(|&c| c == 0).next().unwrap_or_default();
            if !matches!(name, b"." | b"..") {
                each(
                    name,
                    match kind {
                        libc::DT_REG => Some(Kind::File),
                        libc::DT_DIR => Some(Kind::Directory),
                        _ => None,
                    },
                );
            }
        }
    }
}

/// `path` from the root on, otherwise as it was given.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    Ok(std::env::current_dir()?.join(path))
}

/// The content of `path`.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut content = vec![0; BLOCK];
    let length = read_into(&file, &mut content)?;
    content.truncate(length);
    // Many are read that have a word in them, as a driver's name.
    content.shrink_to_fit();
    Ok(content)
}

/// Reads from `offset` on into `room`, as much as there is: how many bytes. It may take several
/// system calls, as each may be interrupted, or give less.
pub fn read_at(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match FileExt::read_at(file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if is_interrupted(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Source for File {
    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(self, block, offset)
    }
}

/// Reads `file` into `content`, over what that holds, and makes it longer where it
/// has to be; how many bytes are the file's.
pub fn read_into(mut file: &File, content: &mut Vec<u8>) -> io::Result<usize> {
    let mut length = 0;
    loop {
        if length >= LIMIT {
            return Err(Errno::EFBIG.into());
        }
        if length == content.len() {
            // What is small is read without asking for its size. Of what is not, that is
            // no more than a hint: in `/proc` and `/sys` it is not true.
            let size = if length < BLOCK { 0 } else { file.metadata()?.len() };
            let size = usize::try_from(size).unwrap_or(0);
            let hint = if size > length { size + 1 } else { length * 2 };
            large::grow(content, hint.clamp(BLOCK, LIMIT))?;
        }
        match file.read(content.get_mut(length..).unwrap_or_default()) {
            Ok(0) => return Ok(length),
            Ok(count) => length += count,
            Err(error) if is_interrupted(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Calls `each` with the lines of `file` until it wants no more: what stands before, between
/// and behind the bytes `end`. They go through `buffer`, whatever that holds, so that of a
/// file no more is in memory than that, or its longest line. Whether `each` had enough.
pub fn scan(
    file: &File,
    end: u8,
    buffer: &mut Vec<u8>,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let (mut filled, mut offset) = (0, 0);
    while filled <= LONGEST {
        if filled == buffer.len() || filled == 0 {
            large::grow(buffer, SCANNED.max(filled * 2))?;
        }
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let count = read_at(file, room, offset)?;
        (filled, offset) = (filled + count, offset + count as u64);
        let known = buffer.get(..filled).unwrap_or_default();
        // What is behind the last `end` is no whole line before the file ends.
        let whole = if count == 0 { Some(filled) } else { known.iter().rposition(|c| *c == end) };
        let Some(whole) = whole else { continue };
        for line in known.get(..whole).unwrap_or_default().split(|c| *c == end) {
            if each(line) {
                return Ok(true);
            }
        }
        if count == 0 {
            return Ok(false);
        }
        buffer.copy_within(whole + 1..filled, 0);
        filled -= whole + 1;
    }
    Err(Errno::EFBIG.into())
}

/// Writes `content` to the file `path`, whole or not at all. What is no file, as a
/// device, is written to as it is.
pub fn save(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return write(path, OFlag::empty(), content),
        // It may be a device, which is not to be replaced.
        Err(error) if errno(&error) != Errno::ENOENT => return Err(error),
        _ => {}
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".nanomod");
    let written =
        write_new(Path::new(&temporary), content).and_then(|_| fs::rename(&temporary, path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Writes `content` to a new file `path`, in the place of what was left there: nothing that is
/// there is written to, nor what it leads to.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if errno(&error) != Errno::ENOENT => return Err(error),
        _ => {}
    }
    process::ignore_signals();
    let mut file = open_to_write(path, OFlag::O_CREAT | OFlag::O_EXCL)?;
    file.write_all(content)?;
    Ok(file)
}

/// How `file` is compressed.
pub fn kind(file: &File) -> io::Result<compression::Kind> {
    let mut magic = [0; compression::Kind::MAGIC];
    let length = read_at(file, &mut magic, 0)?;
    Ok(compression::Kind::of(magic.get(..length).unwrap_or_default()))
}

/// The variable that sets another limit to decompression, in MiB.
const LIMIT_VARIABLE: &str = "NANOMOD_LIMIT_MIB";

/// How many bytes a module may decompress to.
pub fn module_limit() -> u64 {
    static READ: OnceLock<u64> = OnceLock::new();
    // Once: a thread that runs a command may be about to set another variable.
    *READ.get_or_init(|| {
        let value = std::env::var_os(LIMIT_VARIABLE);
        let mebibytes = value.and_then(|value| number(value.as_bytes(), 10));
        mebibytes.map_or_else(default_limit, |mebibytes| mebibytes.saturating_mul(1 << 20))
    })
}

/// The limit is never lower: of a small machine's last memory, the kernel says that less is
/// available than can be had.
const LEAST: u64 = 2 << 20;

/// [`compression::LIMIT`], or a quarter of the machine's memory where that is less, or half of
/// what is left of it: the kernel takes as much for its own copy, and who takes more than
/// there is gets killed.
fn default_limit() -> u64 {
    if !compression::Kind::ANY_IS_KNOWN {
        return compression::LIMIT;
    }
    let Some((all, free)) = machine_memory() else { return compression::LIMIT };
    let limit = compression::LIMIT.min(all / 4);
    // What caches hold is not free and can be had.
    let left = if free / 2 < limit { available() } else { None };
    left.map_or(limit, |left| limit.min(left / 2).max(LEAST))
}

/// How many bytes of memory can be had, as the kernel estimates in `/proc/meminfo`, proc(5).
fn available() -> Option<u64> {
    let text = read(Path::new("/proc/meminfo")).ok()?;
    let value = behind(&text, b"MemAvailable:")?;
    number(words(lines(value).next()?).next()?, 10)?.checked_mul(1024)
}

/// The uncompressed content of the module file `path`.
pub fn read_module(path: &Path) -> Result<Large<u8>, Cause> {
    read_module_up_to(path, module_limit())
}

/// The same, if it decompresses to no more than `limit` bytes.
pub fn read_module_up_to(path: &Path, limit: u64) -> Result<Large<u8>, Cause> {
    let content = Large(read(path)?);
    match compression::Kind::of(&content) {
        compression::Kind::Plain => Ok(content),
        kind => Ok(decompressed(kind, &content, limit).map_err(|failure| failure.to_string())?),
    }
}

/// What is in `content`, a file of `kind`, if that is no more than `limit` bytes.
pub fn decompressed(
    kind: compression::Kind,
    content: &[u8],
    limit: u64,
) -> Result<Large<u8>, compression::Failure> {
    Decompressor::default().into_output(kind, content, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_seen_whole_wherever_a_read_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let long = "x".repeat(SCANNED * 2);
        let near = "y".repeat(SCANNED - 3);
        for text in ["", "\n", "a", "a\n", "\na\n\nb", &long, &format!("{near}\nab\n{long}\nb\n")] {
            fs::write(&path, text).unwrap();
            let (mut lines, mut buffer) = (Vec::new(), b"of the file before".to_vec());
            let file = open(&path).unwrap();
            let mut keep = |line: &[u8]| {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                line == b"b"
            };
            let enough = scan(&file, b'\n', &mut buffer, &mut keep).unwrap();
            let expected: Vec<&str> = match text.contains("\nb\n") {
                true => text.trim_end().split('\n').collect(),
                false => text.split('\n').collect(),
            };
            assert_eq!(lines, expected);
            assert_eq!(enough, expected.last() == Some(&"b"));
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for (length, is_too_long) in [(LONGEST, false), (2 * LONGEST, true)] {
            fs::write(&path, vec![b'x'; length]).unwrap();
            let (mut lines, mut buffer) = (0, Vec::new());
            let mut count = |line: &[u8]| {
                lines += line.len();
                false
            };
            let result = scan(&open(&path).unwrap(), b'\n', &mut buffer, &mut count);
            assert_eq!(result.is_err(), is_too_long);
            assert_eq!(lines, if is_too_long { 0 } else { length });
        }
    }

    #[test]
    fn files_of_every_size_are_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK] {
            fs::write(&path, vec![b'x'; size]).unwrap();
            assert_eq!(read(&path).unwrap().len(), size);
        }
        assert_eq!(read(&dir.path().join("g")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
