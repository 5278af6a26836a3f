//! The laws that a fuzzer plays against URLs and the guard, replayable on any toolchain. Each panics when its law is broken.
//!
//! The twin is the standard library's own classification, and for what it does not name, the registries of IANA written as
//! arithmetic on segments; neither knows the guard's table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use super::Guard;
use crate::target::address::Address;

/// A URL that is taken leads where another reader of it says, stays the same when read again, and holds nothing that could
/// be another header line; if its host is an address, the guard judges it as the twin does.
pub fn reading(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(address) = Address::parse(text) else { return };
    let again = Address::parse(address.as_str());
    assert!(again.is_ok_and(|again| again == address), "{address} is another when read again");
    let parts = [address.as_str(), address.authority(), address.path_and_query(), address.host()];
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_graphic())), "{parts:?}");
    let whole = format!("{}://{}{}", address.uri().scheme_str().unwrap_or_default(), parts[1], parts[2]);
    assert_eq!(whole, address.as_str(), "what is sent is not what was read");
    let uri_host = address.uri().host().unwrap_or_default().trim_matches(['[', ']']);
    // An address has more than one spelling.
    let (theirs, ours) = (uri_host.parse::<IpAddr>(), address.host().parse::<IpAddr>());
    assert_eq!(theirs, ours, "who is connected to is not who is asked for");
    assert!(ours.is_ok() || uri_host == address.host(), "who is connected to is not who is asked for");
    let uri_port = address.uri().port_u16().unwrap_or(if address.is_secure() { 443 } else { 80 });
    assert_eq!(uri_port, address.port(), "the port that is connected to is not the one that is asked for");
    if let Ok(host) = address.host().parse::<IpAddr>() {
        judged(host);
    }
}

/// Every spelling of an address leads to the address, and is judged as the twin judges it.
pub fn spelling(data: &[u8]) {
    let Some((&form, rest)) = data.split_first() else { return };
    let v4 = |bytes: &[u8]| bytes.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes));
    let spelt = match form % 12 {
        form @ 0..7 => v4(rest).map(|address| (spelt_v4(address, form), IpAddr::V4(address))),
        7 => v4(rest).map(|v4| (format!("::ffff:{v4}"), IpAddr::V6(v4.to_ipv6_mapped()))),
        8 => v4(rest).map(|v4| (format!("64:FF9B::{v4}"), translated([0x64, 0xff9b, 0, 0, 0, 0], v4))),
        9 => v4(rest).map(|v4| (format!("::{v4}"), translated([0; 6], v4))),
        form => rest.first_chunk::<16>().map(|bytes| {
            let address = Ipv6Addr::from(*bytes);
            let long: Vec<_> = address.segments().iter().map(|segment| format!("{segment:04X}")).collect();
            (if form == 10 { long.join(":") } else { address.to_string() }, IpAddr::V6(address))
        }),
    };
    let Some((text, meant)) = spelt else { return };
    judged(meant);
    let host = if meant.is_ipv6() { format!("[{text}]") } else { text };
    let url = format!("http://{host}/");
    let Ok(address) = Address::parse(&url) else { panic!("{url} is refused") };
    assert_eq!(address.host().parse::<IpAddr>(), Ok(meant), "{url} leads elsewhere");
    let other = Host::parse(&host);
    assert!(other.is_ok_and(|other| matches!(other, Host::Ipv4(_) | Host::Ipv6(_))), "{host} is a name");
}

/// As browsers take it: in one to four parts, each decimal, octal or hexadecimal.
fn spelt_v4(address: Ipv4Addr, form: u8) -> String {
    let ([a, b, c, d], whole) = (address.octets(), u32::from(address));
    match form {
        0 => address.to_string(),
        1 => format!("{whole}"),
        2 => format!("0x{whole:X}"),
        3 => format!("0{whole:o}"),
        4 => format!("0x{a:x}.0{b:o}.{}", u16::from_be_bytes([c, d])),
        5 => format!("{a}.{}", whole & 0x00ff_ffff),
        _ => format!("0{a:o}.0x{b:X}.{c}.{d}."),
    }
}

fn translated(prefix: [u16; 6], v4: Ipv4Addr) -> IpAddr {
    let [a, b, c, d, e, f] = prefix;
    let [g, h] = [0, 2].map(|at| u16::from_be_bytes([v4.octets()[at], v4.octets()[at + 1]]));
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

fn judged(address: IpAddr) {
    let passes = Guard::default().judge(address).is_ok();
    assert_eq!(passes, is_public(address), "{address}: the guard and its twin disagree");
    let alone = Guard::new(&[address.to_string()]);
    assert!(
        alone.is_ok_and(|guard| guard.judge(address).is_ok()),
        "{address} is refused though it is allowed"
    );
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let named = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation();
    let [a, b, c, _] = address.octets();
    let unnamed = a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || [a, b, c] == [192, 0, 0]
        || [a, b, c] == [192, 88, 99]
        || a >= 240;
    !named && !unnamed
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |at: usize| Ipv4Addr::from((u32::from(segments[at]) << 16) | u32::from(segments[at + 1]));
    match segments {
        // Mapped, translated (RFC 6052) and 6to4: what counts is where they lead.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => return is_public_v4(v4(6)),
        [0x2002, ..] => return is_public_v4(v4(1)),
        _ => {}
    }
    let named = address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local();
    let unnamed = matches!(
        segments,
        [0, 0, 0, 0, 0, 0, ..]
            | [0x64, 0xff9b, 1, ..]
            | [0x100, 0, 0, 0 | 1, ..]
            | [0x2001, 0..0x200, ..]
            | [0x2001, 0xdb8, ..]
            | [0x3fff, 0..0x1000, ..]
            | [0x5f00 | 0xfec0..=0xfeff, ..]
    );
    !named && !unnamed
}
