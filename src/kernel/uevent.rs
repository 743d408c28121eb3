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

use crate::devices::announced;
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
    /// The kernel says that a device was added.
    Added {
        /// Where it is, from `/devices` on.
        path: Vec<u8>,
        /// What it is, if it says that.
        modaliases: Vec<Vec<u8>>,
    },
    /// The kernel says that a device is gone.
    Removed {
        /// Where it was, from `/devices` on.
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

/// What `message` says.
pub fn parse(message: &[u8]) -> News {
    let header = message.split(|&c| c == 0).next().unwrap_or_default();
    let path_of = |action: &[u8]| {
        let path = header.strip_prefix(action)?;
        path.starts_with(b"/devices/").then(|| path.to_vec())
    };
    if let Some(path) = path_of(b"add@") {
        let mut modaliases = Vec::new();
        announced(message, 0, &mut modaliases);
        return News::Added { path, modaliases };
    }
    path_of(b"remove@").map_or(News::Other, |path| News::Removed { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(path: &str, modaliases: &[&str]) -> News {
        let bytes = |text: &&str| text.as_bytes().to_vec();
        News::Added {
            path: path.as_bytes().to_vec(),
            modaliases: modaliases.iter().map(bytes).collect(),
        }
    }

    #[test]
    fn messages_are_read() {
        let message =
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0MODALIAS=pci:v1 d\"2\0SEQNUM=5\0";
        assert_eq!(parse(message), added("/devices/x", &["pci:v1 d\"2"]));
        let message = b"add@/devices/soc@0/x\0ACTION=add\0SEQNUM=5\0";
        assert_eq!(parse(message), added("/devices/soc@0/x", &[]));
        let removed = News::Removed { path: b"/devices/x".to_vec() };
        assert_eq!(parse(b"remove@/devices/x\0MODALIAS=pci:x\0"), removed);
        for other in [
            &b"add@/module/x\0ACTION=add\0SEQNUM=5\0"[..],
            b"remove@/module/x\0",
            b"bind@/devices/x\0MODALIAS=pci:x\0",
            b"libudev\0\xfe\xed\xca\xfe",
            b"",
        ] {
            assert_eq!(parse(other), News::Other);
        }
    }

    #[test]
    fn a_device_may_go_by_several_names() {
        let message =
            b"add@/devices/x\0MODALIAS=acpi:PRP0001:\0MODALIAS=of:NxT(null)Cy\0OF_NAME=z\0\
            OF_COMPATIBLE_0=z\0";
        assert_eq!(parse(message), added("/devices/x", &["acpi:PRP0001:", "of:NxT(null)Cy"]));
        let message = b"add@/devices/x\0OF_NAME=rom\0OF_TYPE=t\0OF_COMPATIBLE_0=a,b c\0\
            OF_COMPATIBLE_1=d\0OF_COMPATIBLE_N=2\0MODALIAS=spi:rom\0";
        assert_eq!(parse(message), added("/devices/x", &["spi:rom", "of:NromTtCa,b_cCd"]));
    }
}
