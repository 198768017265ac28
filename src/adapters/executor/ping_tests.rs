//! `network.ping` with real sockets: on this machine as it is, and in a network of its own where everything is allowed,
//! nothing is, or nobody answers.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto, socket_with},
};
use tokio::sync::watch;

use super::{
    echo::Family,
    echo_socket::{EchoSocket, Way},
    fixture::{execute, executor, has_capability, inside, operation},
    network_ping::{exchange, run},
};
use crate::domain::{
    Failure, FailureKind, Operation, OperationKind, Output,
    operation::network_ping::{Echoes, Ping},
};

const WAYS: [Way; 2] = [Way::Datagram, Way::Raw];
const GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";

fn ping(data: &str) -> Ping {
    match operation(OperationKind::NetworkPing, data) {
        Operation::NetworkPing(ping) => ping,
        other => panic!("{other:?}"),
    }
}

/// The loopback addresses of this machine.
fn loopback() -> Vec<IpAddr> {
    let six = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let has_six = six.lines().any(|line| line.starts_with("00000000000000000000000000000001"));
    [IpAddr::from(Ipv4Addr::LOCALHOST)].into_iter().chain(has_six.then(|| Ipv6Addr::LOCALHOST.into())).collect()
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// Whether the kernel lets this process have such a socket, by what it says of both.
fn may_have(way: Way) -> bool {
    const NET_RAW: u32 = 13;
    if way == Way::Raw {
        return has_capability(NET_RAW);
    }
    let numbers = |text: &str| -> Vec<u64> { text.split_whitespace().filter_map(|word| word.parse().ok()).collect() };
    let range = numbers(&fs::read_to_string(GROUPS).expect("reads"));
    let status = fs::read_to_string("/proc/self/status").expect("reads");
    let of = |name| numbers(status.lines().find_map(|line| line.strip_prefix(name)).expect("a line"));
    let mut groups = of("Groups:");
    groups.push(of("Gid:")[1]);
    groups.into_iter().any(|group| (range[0]..=range[1]).contains(&group))
}

/// Asks through a socket of this kind.
async fn ask(address: IpAddr, way: Way, data: &str) -> Result<Result<Echoes, Failure>, Errno> {
    let socket = EchoSocket::open_way(family(address), way)?;
    let ping = ping(data);
    let until = Instant::now() + Duration::from_secs(ping.timeout_seconds.get().into());
    let (_keep, stop) = watch::channel(false);
    Ok(exchange(&socket, SocketAddr::new(address, 0), &ping, until, stop).await)
}

fn assert_all_answered(echoes: Echoes, count: u16) {
    assert_eq!((echoes.sent, echoes.received, echoes.loss_ratio.to_string().as_str()), (count, count, "0"));
    assert!(echoes.min_seconds > Some(0.0) && echoes.max_seconds < Some(30.0), "{echoes:?}");
    assert!(echoes.min_seconds <= echoes.avg_seconds && echoes.avg_seconds <= echoes.max_seconds, "{echoes:?}");
}

fn failure(ran: Result<Output, Failure>) -> String {
    let failure = ran.expect_err("it cannot work");
    assert_eq!((failure.kind, &failure.partial), (FailureKind::Operation, &None), "{}", failure.message);
    failure.message
}

#[tokio::test]
async fn loopback_answers_through_each_kind_of_socket_that_this_process_may_have() {
    for address in loopback() {
        for way in WAYS {
            let data = format!(r#"{{"address":"{address}","count":1,"timeout_seconds":30}}"#);
            match ask(address, way, &data).await {
                Ok(echoes) => {
                    assert!(may_have(way), "{way:?} to {address}");
                    assert_all_answered(echoes.expect("it works"), 1);
                }
                Err(error) => {
                    assert!(matches!(error, Errno::ACCESS | Errno::PERM), "{way:?} to {address}: {error}");
                    assert!(!may_have(way), "{way:?} to {address}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_ping_of_this_machine_takes_the_way_that_is_open_or_names_what_would_open_one() {
    let executor = executor(Path::new("/"));
    for address in loopback().into_iter().map(|address| address.to_string()).chain(["localhost".to_owned()]) {
        let data = format!(r#"{{"address":"{address}","count":1,"timeout_seconds":30}}"#);
        let ran = execute(&executor, OperationKind::NetworkPing, &data).await;
        if WAYS.into_iter().any(may_have) {
            match ran {
                Ok(Output::NetworkPing(echoes)) => assert_all_answered(echoes, 1),
                other => panic!("{address}: {other:?}"),
            }
        } else {
            let message = failure(ran);
            assert!(message.contains("net.ipv4.ping_group_range") && message.contains("CAP_NET_RAW"), "{message}");
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_after_the_stop() {
    let (_stop, stopped) = watch::channel(true);
    let stopped = run(&ping(r#"{"address":"127.0.0.1","count":20}"#), stopped).await.expect_err("stopped");
    assert_eq!((stopped.message.as_str(), stopped.partial), ("stopped after 0 of 20 requests", None));
}

/// `ip link set lo up`, in the words of rtnetlink(7).
fn bring_up_loopback() {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend([0; 8]);
    // Of any family and type, the interface with the number 1.
    message.extend([0; 4]);
    message.extend(1_i32.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    // Its protocol has the number 0.
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("netlink");
    sendto(&socket, &message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0)).expect("sent");
    let mut answer = [0; 256];
    recv(&socket, &mut answer[..], RecvFlags::empty()).expect("an answer");
    assert_eq!(answer[16..20], [0; 4], "the kernel refused");
}

/// How many echoes this network was asked for so far.
fn asked_so_far() -> u64 {
    let counters = fs::read_to_string("/proc/net/snmp").expect("reads");
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Icmp: "));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let place = names.split(' ').position(|name| name == "OutEchos").expect("a counter");
    values.split(' ').nth(place).expect("a value").parse().expect("a number")
}

#[tokio::test]
async fn in_a_network_of_its_own_both_ways_work_and_loss_is_no_error() {
    let here = concat!(module_path!(), "::in_a_network_of_its_own_both_ways_work_and_loss_is_no_error");
    if !inside(here, &["--net"], &format!("echo '0 0' >{GROUPS}"), "") {
        return;
    }
    let four = IpAddr::from(Ipv4Addr::LOCALHOST);
    let executor = executor(Path::new("/"));
    let ping_of = async |data: &str| execute(&executor, OperationKind::NetworkPing, data).await;

    // Loopback is down: there is no way to anywhere.
    for address in ["127.0.0.1", "192.0.2.1", "2001:db8::1"] {
        let message = failure(ping_of(&format!(r#"{{"address":"{address}"}}"#)).await);
        assert!(message.contains("no route") || message.contains("cannot send"), "{address}: {message}");
    }
    let message = failure(ping_of(r#"{"address":"nowhere.invalid","timeout_seconds":30}"#).await);
    assert!(message.contains("cannot find the name"), "{message}");
    let message = failure(ping_of(r#"{"address":"fe80::1%nope0"}"#).await);
    assert!(message.contains("no interface nope0"), "{message}");

    bring_up_loopback();
    assert!(loopback().contains(&four));
    for address in loopback() {
        for way in WAYS {
            let data = format!(r#"{{"address":"{address}","count":3,"timeout_seconds":1}}"#);
            assert_all_answered(ask(address, way, &data).await.expect("allowed").expect("it works"), 3);
        }
    }
    // Loopback is all there is, and there is no way to other networks.
    let message = failure(ping_of(r#"{"address":"192.0.2.1"}"#).await);
    assert!(message.contains("this host has no route to the address"), "{message}");

    fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1").expect("written");
    for way in WAYS {
        let echoes = ask(four, way, r#"{"address":"127.0.0.1","count":2,"timeout_seconds":1}"#).await.expect("allowed");
        assert_eq!(echoes, Ok(Echoes::of(2, &[])), "{way:?}");
    }

    // Stopped when its time is over anyway, as a worker does whose clock is ahead: that is no interruption.
    let (stop, stopped) = watch::channel(false);
    let before = asked_so_far();
    let once = ping(r#"{"address":"127.0.0.1","count":1,"timeout_seconds":1}"#);
    let socket = EchoSocket::open(Family::V4).expect("allowed");
    let until = Instant::now() + Duration::from_millis(400);
    let running = exchange(&socket, SocketAddr::new(four, 0), &once, until, stopped);
    tokio::pin!(running);
    while asked_so_far() == before {
        tokio::select! {
            biased;
            ended = &mut running => panic!("{ended:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    stop.send_replace(true);
    assert_eq!(running.await, Ok(Echoes::of(1, &[])));

    // Stopped while it waits: what there is of it is kept.
    let (stop, stopped) = watch::channel(false);
    let before = asked_so_far();
    let silent = ping(r#"{"address":"127.0.0.1","count":20,"timeout_seconds":30}"#);
    let running = run(&silent, stopped);
    tokio::pin!(running);
    while asked_so_far() == before {
        tokio::select! {
            biased;
            ended = &mut running => panic!("{ended:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    stop.send_replace(true);
    let stopped = running.await.expect_err("stopped");
    assert!(stopped.message.starts_with("stopped after ") && stopped.message.ends_with(" of 20 requests"));
    match stopped.partial.as_deref() {
        Some(Output::NetworkPing(echoes)) => assert!(echoes.sent > 0 && echoes.received == 0, "{echoes:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_process_that_may_have_neither_socket_is_told_what_is_missing() {
    let here = concat!(module_path!(), "::a_process_that_may_have_neither_socket_is_told_what_is_missing");
    // A new network lets no group have datagram sockets.
    if !inside(here, &["--net"], "", "setpriv --bounding-set=-net_raw") {
        return;
    }
    assert_eq!(WAYS.map(may_have), [false, false]);
    for address in ["127.0.0.1", "::1"] {
        let data = format!(r#"{{"address":"{address}"}}"#);
        let message = failure(execute(&executor(Path::new("/")), OperationKind::NetworkPing, &data).await);
        assert!(message.contains("net.ipv4.ping_group_range") && message.contains("CAP_NET_RAW"), "{message}");
    }
}
