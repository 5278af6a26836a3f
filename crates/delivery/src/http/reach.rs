//! From a name to a stream: what it resolves to, whether the guard lets that pass, and which address of it answers.
//!
//! What is judged is what is connected to. A name is looked up once for each connection, so that one that resolves otherwise a
//! moment later changes nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::outcome::Unreachable;
use crate::target::address::Address;
use crate::target::guard::Guard;

/// How many addresses of a name are tried; each gets its share of the time.
const MAX_ADDRESSES: usize = 4;

/// The two things that the network is asked for; tests answer them with what they like.
pub(super) trait Network {
    type Stream;

    /// The addresses of a host, in the order of preference.
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    async fn dial(&self, address: SocketAddr) -> io::Result<Self::Stream>;
}

/// The system's resolver and its network.
pub(super) struct System;

impl Network for System {
    type Stream = TcpStream;

    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        tokio::net::lookup_host((host, port)).await.map(Iterator::collect)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// The first addresses of the host, if the guard lets all of its addresses pass.
pub(super) async fn resolve(
    network: &impl Network,
    address: &Address,
    guard: Option<&Guard>,
) -> Result<Vec<SocketAddr>, Unreachable> {
    let mut found = network.look_up(address.host(), address.port()).await.unwrap_or_default();
    if found.is_empty() {
        return Err(Unreachable::NameNotFound(address.host().to_owned()));
    }
    let blocked = guard.and_then(|guard| found.iter().find_map(|found| guard.judge(found.ip()).err()));
    if let Some(blocked) = blocked {
        return Err(Unreachable::Blocked(blocked));
    }
    found.truncate(MAX_ADDRESSES);
    Ok(found)
}

/// Tries the addresses in the resolver's order, an equal share of the time each; tells the first failure of all.
pub(super) async fn first_that_connects<N: Network>(
    network: &N,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(N::Stream, SocketAddr), Unreachable> {
    let mut first_failure = None;
    for (position, &address) in addresses.iter().enumerate() {
        let connecting = network.dial(address);
        let connected = if position + 1 == addresses.len() {
            connecting.await
        } else {
            let share = limit / u32::try_from(addresses.len()).unwrap_or(1);
            let timed = tokio::time::timeout(share, connecting).await;
            timed.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
        };
        match connected {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => first_failure = first_failure.or(Some((address, error))),
        }
    }
    let Some((address, error)) = first_failure else {
        return Err(Unreachable::Failed("there is no address to connect to".to_owned()));
    };
    Err(match error.kind() {
        io::ErrorKind::ConnectionRefused => Unreachable::Refused(address),
        _ => Unreachable::Failed(format!("{address}: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    /// Answers look-ups one after the other, and refuses every connection but to the last octet `answers`; nothing of it is on
    /// the wire.
    #[derive(Default)]
    struct Told {
        look_ups: RefCell<VecDeque<Vec<SocketAddr>>>,
        answers: Option<u8>,
        asked: RefCell<Vec<String>>,
        dialled: RefCell<Vec<SocketAddr>>,
    }

    impl Network for Told {
        type Stream = ();

        async fn look_up(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            self.asked.borrow_mut().push(host.to_owned());
            self.look_ups.borrow_mut().pop_front().ok_or_else(|| io::Error::other("no such name"))
        }

        async fn dial(&self, address: SocketAddr) -> io::Result<()> {
            self.dialled.borrow_mut().push(address);
            let last = address.to_string().split(['.', ':']).nth(3).and_then(|octet| octet.parse().ok());
            if last.is_some() && last == self.answers {
                Ok(())
            } else {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
        }
    }

    fn network(look_ups: &[&[&str]]) -> Told {
        let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Told { look_ups: RefCell::new(look_ups.iter().map(addresses).collect()), ..Told::default() }
    }

    const LIMIT: Duration = Duration::from_secs(5);

    /// As one attempt does it.
    async fn reach(network: &Told, url: &str, guard: &Guard) -> Result<SocketAddr, Unreachable> {
        let addresses = resolve(network, &Address::parse(url).unwrap(), Some(guard)).await?;
        first_that_connects(network, &addresses, LIMIT).await.map(|(_, peer)| peer)
    }

    fn blocked(reached: &Result<SocketAddr, Unreachable>) -> &'static str {
        match reached {
            Err(Unreachable::Blocked(blocked)) => blocked.kind,
            other => panic!("it is not blocked: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_refused_address_is_not_connected_to_at_all() {
        let guard = Guard::default();
        for (answer, kind) in [
            (&["198.41.0.4:443", "10.0.0.1:443"][..], "private"),
            (&["127.0.0.1:443", "198.41.0.4:443"], "loopback"),
            (
                &["[2001:500:9f::42]:443", "[::ffff:169.254.169.254]:443"],
                "link-local, where metadata services are",
            ),
            (
                &["198.41.0.4:443", "198.41.0.4:443", "198.41.0.4:443", "198.41.0.4:443", "[fc00::1]:443"],
                "private",
            ),
        ] {
            let network = network(&[answer]);
            assert_eq!(blocked(&reach(&network, "https://siem.example/", &guard).await), kind);
            assert!(network.dialled.borrow().is_empty(), "{:?}", network.dialled);
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_the_next_time_is_judged_again_and_looked_up_once_a_connection() {
        let guard = Guard::default();
        let mut network = network(&[&["198.41.0.4:443"], &["192.168.0.1:443"], &["198.41.0.4:443"]]);
        network.answers = Some(4);
        assert!(reach(&network, "https://siem.example/", &guard).await.is_ok());
        assert_eq!(blocked(&reach(&network, "https://siem.example/", &guard).await), "private");
        assert!(reach(&network, "https://siem.example/", &guard).await.is_ok());
        assert_eq!(*network.asked.borrow(), ["siem.example"; 3], "once each");
        let public: SocketAddr = "198.41.0.4:443".parse().unwrap();
        assert_eq!(*network.dialled.borrow(), [public; 2], "and only what was judged");
    }

    #[tokio::test]
    async fn what_is_allowed_is_connected_to_and_nothing_beside_it() {
        let guard = Guard::new(&["10.1.0.0/16".to_owned()]).unwrap();
        let mut network = network(&[&["10.1.2.3:80"], &["10.1.2.3:80", "10.2.0.1:80"]]);
        network.answers = Some(3);
        assert_eq!(
            reach(&network, "http://siem.internal/", &guard).await,
            Ok("10.1.2.3:80".parse().unwrap())
        );
        assert_eq!(blocked(&reach(&network, "http://siem.internal/", &guard).await), "private");
    }

    #[tokio::test]
    async fn as_many_addresses_are_tried_as_the_limit_says_and_the_first_failure_is_told() {
        let all: Vec<String> = (1..=6).map(|last| format!("198.41.0.{last}:443")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let guard = Guard::default();
        let mut network = network(&[&all, &all]);
        network.answers = Some(u8::try_from(MAX_ADDRESSES).unwrap());
        let last: SocketAddr = format!("198.41.0.{MAX_ADDRESSES}:443").parse().unwrap();
        assert_eq!(reach(&network, "https://siem.example/", &guard).await, Ok(last));
        network.answers = Some(u8::try_from(MAX_ADDRESSES + 1).unwrap());
        let refused = Unreachable::Refused("198.41.0.1:443".parse().unwrap());
        assert_eq!(reach(&network, "https://siem.example/", &guard).await, Err(refused));
        assert_eq!(network.dialled.borrow().len(), 2 * MAX_ADDRESSES);
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_says_so() {
        for network in [network(&[]), network(&[&[]])] {
            let reached = reach(&network, "https://siem.example/", &Guard::default()).await;
            assert_eq!(reached, Err(Unreachable::NameNotFound("siem.example".to_owned())));
        }
    }
}
