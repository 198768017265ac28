//! The two kinds of socket through which echoes are asked for: one for every process that the administrator lets have
//! one (icmp(7), `ping_group_range`), and one for processes with `CAP_NET_RAW` (raw(7)).

use std::{io, net::SocketAddr};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with},
};
use tokio::net::UdpSocket;

use super::echo::Family;

/// Longer than an answer with the longest header in front. What is longer answers nothing that was asked.
const BUFFER_LENGTH: usize = 256;

/// How the kernel lets a process ask for echoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The kernel sets the identifier, and hands out the answers to it alone.
    Datagram,
    /// Everything of the protocol that arrives is handed out.
    Raw,
}

/// A socket for echoes.
#[derive(Debug)]
pub(super) struct EchoSocket {
    /// Of another protocol than its type says; sending to an address and receiving is the same.
    socket: UdpSocket,
    pub(super) way: Way,
    pub(super) family: Family,
}

impl EchoSocket {
    /// A socket of the kind that this process may have.
    pub(super) fn open(family: Family) -> Result<Self, String> {
        let datagram = match Self::open_way(family, Way::Datagram) {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        match Self::open_way(family, Way::Raw) {
            Ok(socket) => Ok(socket),
            Err(Errno::AFNOSUPPORT) => {
                Err(format!("this host does not speak IP{}", if family == Family::V6 { "v6" } else { "v4" }))
            }
            Err(raw @ (Errno::ACCESS | Errno::PERM)) => Err(format!(
                "this process may not ask for echoes: not through a datagram socket ({datagram}) until its group lies \
                 in the sysctl net.ipv4.ping_group_range, and not through a raw one ({raw}) without the capability \
                 CAP_NET_RAW"
            )),
            Err(raw) => Err(format!("cannot open a socket for echoes: {raw}")),
        }
    }

    /// A socket of this kind.
    pub(super) fn open_way(family: Family, way: Way) -> Result<Self, Errno> {
        let (domain, protocol) = match family {
            Family::V4 => (AddressFamily::INET, ipproto::ICMP),
            Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let kind = match way {
            Way::Datagram => SocketType::DGRAM,
            Way::Raw => SocketType::RAW,
        };
        let socket = socket_with(domain, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))?;
        let socket = UdpSocket::from_std(socket.into());
        let socket = socket.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(Self { socket, way, family })
    }

    /// Whether packets come with their IPv4 header in front.
    pub(super) fn with_header(&self) -> bool {
        (self.way, self.family) == (Way::Raw, Family::V4)
    }

    /// Sends a packet.
    pub(super) async fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(packet, to).await.map(|_| ())
    }

    /// Waits for a packet and hands it to `look`.
    pub(super) async fn receive<T>(&self, look: impl Fn(&[u8]) -> T) -> io::Result<T> {
        let mut buffer = [0; BUFFER_LENGTH];
        let length = self.socket.recv(&mut buffer).await?;
        Ok(look(&buffer[..length]))
    }
}
