//! The kernel's own messages about devices that come and go.
//!
//! A message of `NETLINK_KOBJECT_UEVENT`, group 1 (kernel: `lib/kobject_uevent.c`):
//!
//! ```text
//! ACTION@DEVPATH\0ACTION=add\0DEVPATH=/devices/…\0SUBSYSTEM=pci\0MODALIAS=pci:v…\0SEQNUM=…\0
//! ```
//!
//! What somebody else sends there is refused, as is what udev sends to its own group.
//! Where more comes than the socket holds, the kernel says so, and the devices have to
//! be looked for again.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;

use crate::collect::Collect;
use crate::format::text::number;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt,
    socket, sockopt,
};

/// The group to which the kernel sends; udev has its own.
const KERNEL_GROUP: u32 = 1;

/// How much may wait to be read, in bytes: a few thousand messages. It takes no memory
/// before they come.
const BUFFER: usize = 8 << 20;

/// A variable that sets another size, which a test makes too small.
const BUFFER_VARIABLE: &str = "NANOMOD_UEVENT_BUFFER";

/// More than the kernel puts into a message.
const MESSAGE: usize = 8192;

/// A socket to which the kernel sends.
pub struct Uevents {
    socket: OwnedFd,
    message: Vec<u8>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// The kernel says that this device was added, with its modalias if it has one.
    Added {
        path: Vec<u8>,
        modaliases: Vec<Vec<u8>>,
    },
    Removed {
        path: Vec<u8>,
    },
    /// The kernel says something else.
    Other,
    /// Something came that could not be kept.
    Lost,
}

impl Uevents {
    /// Begins to listen.
    pub fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)?;
        let size = std::env::var_os(BUFFER_VARIABLE);
        let size = size
            .and_then(|size| usize::try_from(number(size.as_bytes(), 10)?).ok())
            .unwrap_or(BUFFER);
        // It may take less than was asked for, which is not worse than nothing.
        if setsockopt(&socket, sockopt::RcvBufForce, &size).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &size);
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self { socket, message: vec![0; MESSAGE] })
    }

    /// What has come, if anything has.
    pub fn next(&mut self) -> Option<News> {
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.message) {
                // Others have a number of their own.
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    let message = self.message.get(..length).unwrap_or_default();
                    return Some(parse(message));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Some(News::Lost),
                Err(_) => return None,
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn parse(message: &[u8]) -> News {
    let mut fields = message.split(|&c| c == 0);
    let header = fields.next().unwrap_or_default();
    if let Some(path) =
        header.strip_prefix(b"remove@").filter(|path| path.starts_with(b"/devices/"))
    {
        return News::Removed { path: path.to_vec() };
    }
    let Some(path) = header.strip_prefix(b"add@").filter(|path| path.starts_with(b"/devices/"))
    else {
        return News::Other;
    };
    let modaliases =
        fields.filter_map(|field| Some(field.strip_prefix(b"MODALIAS=")?.to_vec())).vec();
    News::Added { path: path.to_vec(), modaliases }
}
