//! `network.ping`: asks for echoes and waits for them. No thread waits with it; only names are looked up on one.

use std::{
    future::pending,
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice::name_to_index, socket_with};
use tokio::{
    sync::oneshot,
    task::yield_now,
    time::{sleep_until, timeout_at},
};

use super::{
    echo::{Conversation, Family},
    echo_socket::{EchoSocket, Way},
};
use crate::{
    domain::{
        Failure, FailureKind, Output, ScopedAddress,
        operation::{
            Input,
            network_ping::{Echoes, Ping, PingAddress},
        },
    },
    ports::driven::StopSignal,
};

/// The longest pause between two requests.
const PACE: Duration = Duration::from_secs(1);
/// The worker stops a run when its time is over, which is when this ends by itself: so late it counts as ended.
const NEARLY_OVER: Duration = Duration::from_millis(500);

/// Asks an address for echoes.
pub(super) async fn run(ping: &Ping, mut stop: StopSignal) -> Result<Echoes, Failure> {
    let started = Instant::now();
    let until = started + ping.timeout().unwrap_or_default();
    let to = tokio::select! {
        biased;
        () = stopped(&mut stop) => return Err(interrupted(ping, None)),
        found = timeout_at(until.into(), find(&ping.address)) => found,
    };
    let to = to.unwrap_or_else(|_| Err("the name was not found in time".to_owned())).map_err(Failure::operation)?;
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let socket = EchoSocket::open(family).map_err(Failure::operation)?;
    exchange(&socket, to, ping, until, stop).await
}

/// Asks through a socket, until everything is answered or the time is over.
pub(super) async fn exchange(
    socket: &EchoSocket,
    to: SocketAddr,
    ping: &Ping,
    until: Instant,
    mut stop: StopSignal,
) -> Result<Echoes, Failure> {
    let conversation = conversation(socket).map_err(Failure::operation)?;
    let count = ping.count.get();
    let pace = pace(count, until.saturating_duration_since(Instant::now()));
    let mut next = Instant::now();
    let mut asked: Vec<Instant> = Vec::new();
    let mut round_trips: Vec<Option<Duration>> = Vec::new();
    while round_trips.len() < usize::from(count) || round_trips.contains(&None) {
        let sent = u16::try_from(asked.len()).unwrap_or(count);
        let echoes = || Echoes::of(sent, &round_trips.iter().flatten().copied().collect::<Vec<_>>());
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {
                let over = sent == count && until.saturating_duration_since(Instant::now()) < NEARLY_OVER;
                return if over { Ok(echoes()) } else { Err(interrupted(ping, Some(echoes()))) };
            }
            () = sleep_until(until.into()) => break,
            () = sleep_until(next.into()), if sent < count => {
                let request = conversation.request(sent + 1);
                next += pace;
                asked.push(Instant::now());
                round_trips.push(None);
                let sent = timeout_at(until.into(), socket.send(&request, to)).await;
                sent.unwrap_or(Err(io::ErrorKind::TimedOut.into())).map_err(|error| cannot_send(&error))?;
            }
            answered = socket.receive(|packet| conversation.answered(packet, socket.with_header())) => {
                let now = Instant::now();
                let answered = answered.map_err(|error| Failure::operation(format!("cannot receive echoes: {error}")))?;
                let index = answered.and_then(|sequence| usize::from(sequence).checked_sub(1));
                match index.and_then(|index| Some((round_trips.get_mut(index)?, asked.get(index)?))) {
                    // The first answer counts.
                    Some((round_trip, asked)) => { round_trip.get_or_insert(now.duration_since(*asked)); }
                    // Somebody else's: a raw socket gets all of them, however many there are.
                    None => yield_now().await,
                }
            }
        }
    }
    let answered: Vec<Duration> = round_trips.iter().flatten().copied().collect();
    Ok(Echoes::of(u16::try_from(asked.len()).unwrap_or(count), &answered))
}

/// The pause between two requests. At least half of the time is left for the answer to the last one.
fn pace(count: u16, time: Duration) -> Duration {
    match u32::from(count).saturating_sub(1) {
        0 => PACE,
        pauses => (time / 2 / pauses).min(PACE),
    }
}

fn conversation(socket: &EchoSocket) -> Result<Conversation, String> {
    let (mut identifier, mut nonce) = ([0; 2], [0; 8]);
    let filled = getrandom::fill(&mut identifier).and_then(|()| getrandom::fill(&mut nonce));
    filled.map_err(|error| format!("cannot get random bytes: {error}"))?;
    let identifier = (socket.way == Way::Raw).then_some(u16::from_ne_bytes(identifier));
    Ok(Conversation { family: socket.family, identifier, nonce })
}

/// Waits until the run must stop. Whoever cannot say so any more has dropped the run.
async fn stopped(stop: &mut StopSignal) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

fn interrupted(ping: &Ping, echoes: Option<Echoes>) -> Failure {
    let (sent, count) = (echoes.map_or(0, |echoes| echoes.sent), ping.count.get());
    Failure {
        kind: FailureKind::Operation,
        message: format!("stopped after {sent} of {count} requests"),
        partial: echoes.filter(|_| sent > 0).map(|echoes| Box::new(Output::NetworkPing(echoes))),
    }
}

fn cannot_send(error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ": this host has no route to the address",
        io::ErrorKind::PermissionDenied => ": the address is one of many hosts, or a rule of this host forbids it",
        _ => "",
    };
    Failure::operation(format!("cannot send to the address: {error}{hint}"))
}

/// The address to send to.
async fn find(address: &PingAddress) -> Result<SocketAddr, String> {
    match address {
        PingAddress::Ip(address) => socket_address(address),
        PingAddress::Name(name) => {
            let (answer, answered) = oneshot::channel();
            let name = name.to_string();
            // The resolver's own time may be longer than anybody waits here: the thread belongs to nobody.
            let looked_up = thread::Builder::new().name("ping-lookup".to_owned()).spawn(move || {
                let _ = answer.send((name.as_str(), 0).to_socket_addrs().map(|mut found| found.next()));
            });
            looked_up.map_err(|error| format!("cannot start to look up the name: {error}"))?;
            match answered.await {
                Ok(Ok(Some(found))) => Ok(found),
                Ok(Err(error)) => Err(format!("cannot find the name: {error}")),
                Ok(Ok(None)) | Err(_) => Err("cannot find the name: it has no address".to_owned()),
            }
        }
    }
}

fn socket_address(address: &ScopedAddress) -> Result<SocketAddr, String> {
    match (address.address(), address.scope()) {
        (IpAddr::V6(v6), Some(scope)) => {
            let index = interface_index(scope.as_str()).map_err(|error| format!("no interface {scope}: {error}"))?;
            Ok(SocketAddrV6::new(v6, 0, 0, index).into())
        }
        (address, _) => Ok(SocketAddr::new(address, 0)),
    }
}

/// The number of an interface, which may already be one (RFC 4007 §11.2).
fn interface_index(scope: &str) -> rustix::io::Result<u32> {
    if let Ok(index) = scope.parse() {
        return Ok(index);
    }
    let any = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    name_to_index(any, scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_at_most_half_of_the_time() {
        for (count, seconds, expected) in
            [(3, 5, 1000), (1, 1, 1000), (2, 1, 500), (20, 1, 26), (20, 30, 789), (11, 30, 1000)]
        {
            assert_eq!(pace(count, Duration::from_secs(seconds)).as_millis(), expected, "{count} in {seconds} s");
        }
    }

    #[test]
    fn a_scope_is_a_name_or_a_number() {
        let address = |text: &str| socket_address(&text.parse().expect("an address"));
        let scoped = |index| SocketAddr::from(SocketAddrV6::new("fe80::1".parse().expect("an address"), 0, 0, index));
        assert_eq!((address("fe80::1%lo"), address("fe80::1%7")), (Ok(scoped(1)), Ok(scoped(7))));
        assert!(address("fe80::1%nope0").expect_err("no interface").contains("no interface nope0"));
    }
}
