//! Addresses, ranges and URLs.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::eval::Evaluation;
use super::functions::Answer;
use super::{CelError, Result, Value};

/// An absolute URL, or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub(super) text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// Reads a URL with a scheme, or a path that begins with a slash (Go's `url.ParseRequestURI`).
    pub(super) fn parse(text: &str) -> Option<Url> {
        if text.is_empty() || text.chars().any(|c| c.is_ascii_control() || c == ' ') {
            return None;
        }
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if !text.starts_with('/') => {
                let mut chars = scheme.chars();
                let valid = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
                    && chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                if !valid || !rest.starts_with('/') {
                    return None;
                }
                (scheme.to_ascii_lowercase(), rest)
            }
            _ if text.starts_with('/') => (String::new(), text),
            _ => return None,
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (&rest[..end], &rest[end..])
            }
            None => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let (name, port) = split_port(host);
        if !port.bytes().all(|byte| byte.is_ascii_digit())
            || name.contains(['<', '>', '"', '\\', '^', '`', '{', '|', '}'])
        {
            return None;
        }
        let escapes = path.split('%').skip(1);
        if !escapes.into_iter().all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
        {
            return None;
        }
        Some(Url {
            text: text.to_owned(),
            scheme,
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }
}

/// A host with its port, `[::1]:80` too.
fn split_port(host: &str) -> (&str, &str) {
    let after = host.rfind(']').map_or(0, |end| end + 1);
    match host[after..].rfind(':') {
        Some(at) => (&host[..after + at], &host[after + at + 1..]),
        None => (host, ""),
    }
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An address as Kubernetes takes it: no zone, no IPv4 in IPv6.
fn parse_ip(text: &str) -> Result<IpAddr> {
    let parsed = text.parse::<IpAddr>().ok();
    match parsed {
        Some(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(CelError::new(format!("IPv4-mapped IPv6 address {text:?} is not allowed")))
        }
        Some(address) => Ok(address),
        None => Err(CelError::new(format!(
            "IP Address {text:?} parse error during conversion from string: ParseAddr({text:?}): unable to parse IP"
        ))),
    }
}

fn parse_cidr(text: &str) -> Result<(IpAddr, u8)> {
    let wrong = || {
        CelError::new(format!(
            "network address parse error during conversion from string: invalid CIDR address: {text}"
        ))
    };
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address = parse_ip(address).map_err(|_| wrong())?;
    let canonical = bits == "0" || !bits.starts_with('0') && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|_| canonical).ok_or_else(wrong)?;
    if bits > width(address) { Err(wrong()) } else { Ok((address, bits)) }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with all bits after the first `bits` cleared.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let drop = u32::from(width(address) - bits.min(width(address)));
    let kept = if drop >= 128 { 0 } else { number(address) >> drop << drop };
    match address {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(kept).unwrap_or(0).into()),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(kept)),
    }
}

fn contains(range: (IpAddr, u8), address: IpAddr) -> bool {
    range.0.is_ipv4() == address.is_ipv4() && masked(range.0, range.1) == masked(address, range.1)
}

/// The functions.
pub(super) fn call(_: &mut Evaluation<'_>, name: &str, is_method: bool, args: &[Value]) -> Answer {
    match (name, args) {
        ("ip", [Value::String(text)]) if !is_method => Some(parse_ip(text).map(Value::Ip)),
        ("isIP", [Value::String(text)]) => Some(Ok(Value::Bool(parse_ip(text).is_ok()))),
        ("ip.isCanonical", [Value::String(text)]) => {
            Some(parse_ip(text).map(|address| Value::Bool(address.to_string() == **text)))
        }
        ("cidr", [Value::String(text)]) if !is_method => {
            Some(parse_cidr(text).map(|(address, bits)| Value::Cidr(address, bits)))
        }
        ("isCIDR", [Value::String(text)]) => Some(Ok(Value::Bool(parse_cidr(text).is_ok()))),
        ("url", [Value::String(text)]) => Some(match Url::parse(text) {
            Some(url) => Ok(Value::Url(Arc::new(url))),
            None => Err(CelError::new(format!(
                "URL parse error during conversion from string: parse {text:?}: invalid URI for request"
            ))),
        }),
        ("isURL", [Value::String(text)]) => Some(Ok(Value::Bool(Url::parse(text).is_some()))),
        (_, [Value::Ip(address)]) => on_ip(name, *address).map(Ok),
        (_, [Value::Cidr(address, bits), rest @ ..]) => on_cidr(name, (*address, *bits), rest),
        (_, [Value::Url(url)]) => on_url(name, url).map(Ok),
        _ => None,
    }
}

fn on_ip(name: &str, address: IpAddr) -> Option<Value> {
    let link_local = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    };
    let local_multicast = match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    };
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    Some(match name {
        "family" => Value::Int(if address.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => Value::Bool(address.is_unspecified()),
        "isLoopback" => Value::Bool(address.is_loopback()),
        "isLinkLocalMulticast" => Value::Bool(local_multicast),
        "isLinkLocalUnicast" => Value::Bool(link_local(address)),
        "isGlobalUnicast" => Value::Bool(
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || broadcast
                || link_local(address)),
        ),
        _ => return None,
    })
}

fn on_cidr(name: &str, range: (IpAddr, u8), rest: &[Value]) -> Answer {
    Some(match (name, rest) {
        ("containsIP", [Value::Ip(address)]) => Ok(Value::Bool(contains(range, *address))),
        ("containsIP", [Value::String(text)]) => parse_ip(text).map(|address| Value::Bool(contains(range, address))),
        ("containsCIDR", [Value::Cidr(address, bits)]) => {
            Ok(Value::Bool(*bits >= range.1 && contains(range, *address)))
        }
        ("containsCIDR", [Value::String(text)]) => {
            parse_cidr(text).map(|(address, bits)| Value::Bool(bits >= range.1 && contains(range, address)))
        }
        ("ip", []) => Ok(Value::Ip(range.0)),
        ("masked", []) => Ok(Value::Cidr(masked(range.0, range.1), range.1)),
        ("prefixLength", []) => Ok(Value::Int(i64::from(range.1))),
        _ => return None,
    })
}

fn on_url(name: &str, url: &Url) -> Option<Value> {
    let (host, port) = split_port(&url.host);
    Some(match name {
        "getScheme" => Value::string(&url.scheme),
        "getHost" => Value::string(&url.host),
        "getHostname" => Value::string(host.trim_start_matches('[').trim_end_matches(']')),
        "getPort" => Value::string(port),
        "getEscapedPath" => Value::string(&url.path),
        "getQuery" => {
            let mut query = std::collections::BTreeMap::<super::Key, Vec<Value>>::new();
            for pair in url.query.split('&').filter(|pair| !pair.is_empty()) {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let key = super::Key::String(unescape(key).into());
                query.entry(key).or_default().push(Value::String(unescape(value).into()));
            }
            Value::Map(Arc::new(query.into_iter().map(|(key, values)| (key, Value::list(values))).collect()))
        }
        _ => return None,
    })
}
