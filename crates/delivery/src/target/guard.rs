//! The network guard: which addresses a server may connect to for integrations that other people typed in.
//!
//! It is asked after the name was resolved, about the very addresses that are then connected to, on every attempt; a name
//! that resolves to one address that is refused is refused as a whole. The default is public addresses only. The table is
//! data: a range, and what it is called.

#[doc(hidden)]
pub mod properties;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::outcome::Blocked;

/// What may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    allow: Vec<IpNet>,
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of addresses, such as 10.1.0.0/16 or fd00::/8")]
pub struct RangeError(pub String);

/// Ranges that are not public (IANA's special-purpose address registries, RFC 6890; cloud metadata lies in link-local).
const RANGES: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local, where metadata services are"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "for protocols"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a retired relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "no address"),
    ("::1/128", "loopback"),
    ("::/96", "an IPv4 address in a retired form"),
    ("64:ff9b:1::/48", "a local translation to IPv4"),
    ("100::/64", "discarded"),
    ("100:0:0:1::/64", "a dummy"),
    ("2001::/32", "a tunnel (Teredo)"),
    ("2001:2::/48", "for benchmarks"),
    ("2001:10::/28", "retired"),
    ("2001::/23", "for protocols"),
    ("2001:db8::/32", "for documentation"),
    ("3fff::/20", "for documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private, in a retired form"),
    ("ff00::/8", "multicast"),
];

impl Guard {
    /// Public addresses, and those in the ranges of `allow`.
    ///
    /// # Errors
    /// Each text that is no range.
    pub fn new(allow: &[String]) -> Result<Self, Vec<RangeError>> {
        let (mut ranges, mut wrong) = (Vec::new(), Vec::new());
        for text in allow {
            let single = text.parse::<IpAddr>().map(IpNet::from);
            match text.parse::<IpNet>().or(single) {
                Ok(range) => ranges.push(canonical(range)),
                Err(_) => wrong.push(RangeError(text.clone())),
            }
        }
        if wrong.is_empty() { Ok(Self { allow: ranges }) } else { Err(wrong) }
    }

    /// Says whether an address may be connected to.
    ///
    /// # Errors
    /// What it is, if it may not.
    pub fn judge(&self, address: IpAddr) -> Result<(), Blocked> {
        let address = address.to_canonical();
        let embedded = embedded(address);
        let allowed = |address: IpAddr| self.allow.iter().any(|range| range.contains(&address));
        if allowed(address) || embedded.is_some_and(allowed) {
            return Ok(());
        }
        // What leads to an IPv4 address by another way is judged as that address too.
        let kind = kind(address).or_else(|| embedded.and_then(kind));
        kind.map_or(Ok(()), |kind| Err(Blocked { address, kind }))
    }
}

/// A range of mapped addresses as the IPv4 range that it is: what is judged is never a mapped one.
fn canonical(range: IpNet) -> IpNet {
    let mapped = match range {
        IpNet::V6(range) => range.addr().to_ipv4_mapped().zip(range.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(v4, length)| IpNet::new(v4.into(), length).ok()).unwrap_or(range)
}

fn kind(address: IpAddr) -> Option<&'static str> {
    let within = |range: &str| range.parse::<IpNet>().is_ok_and(|range| range.contains(&address));
    RANGES.iter().find(|(range, _)| within(range)).map(|(_, kind)| *kind)
}

/// The IPv4 address in an IPv6 one: NAT64 (RFC 6052, section 2.1) and 6to4 (RFC 3056, section 2). A mapped one is IPv4
/// already.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let octets = address.octets();
    let v4 =
        |at: usize| IpAddr::V4(Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]));
    let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).octets();
    if octets[..12] == translated[..12] {
        Some(v4(12))
    } else if octets[..2] == [0x20, 0x02] {
        Some(v4(2))
    } else {
        None
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public addresses")?;
        self.allow.iter().try_for_each(|range| write!(f, ", {range}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(allow: &[&str], address: &str) -> Result<(), &'static str> {
        let allow: Vec<_> = allow.iter().map(|&range| range.to_owned()).collect();
        Guard::new(&allow).unwrap().judge(address.parse().unwrap()).map_err(|blocked| blocked.kind)
    }

    #[test]
    fn only_public_addresses_pass() {
        for address in
            ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
        {
            assert_eq!(judged(&[], address), Ok(()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:1::1",
            "2001:1ff::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "5f00::1",
            "100::1",
            "3fff::1",
            "2001:db8::1",
        ] {
            assert!(judged(&[], address).is_err(), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_passes_in_every_form_and_nothing_else() {
        let allow = ["10.1.0.0/16", "fd00::/8", "127.0.0.1"];
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00::5", "127.0.0.1"] {
            assert_eq!(judged(&allow, address), Ok(()), "{address}");
        }
        assert_eq!(judged(&allow, "10.2.0.1"), Err("private"));
        for allow in ["::ffff:10.1.0.0/112", "::ffff:10.1.2.3"] {
            assert_eq!(judged(&[allow], "10.1.2.3"), Ok(()), "{allow}");
            assert_eq!(judged(&[allow], "10.2.0.1"), Err("private"), "{allow}");
        }
        assert_eq!(judged(&allow, "127.0.0.2"), Err("loopback"));
        let wrong = Guard::new(&["10.0.0.0/33".to_owned(), "host".to_owned()]).unwrap_err();
        assert_eq!(wrong.len(), 2);
    }

    #[test]
    fn every_range_of_the_table_is_one() {
        for (range, _) in RANGES {
            assert!(range.parse::<IpNet>().is_ok(), "{range}");
        }
    }
}
