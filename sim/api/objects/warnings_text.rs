//! Warnings about addresses that are understood and should be written otherwise (`utilvalidation.GetWarningsForIP`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::api::causes::Path;
use crate::api::custom::go_quote;

/// An address that Go's old parser takes: leading zeros count for nothing.
fn sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let address: Ipv6Addr = text.parse().ok()?;
        return Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = parts.iter().map(|part| part.parse::<u8>().ok().filter(|_| digits(part)));
    let parts: Vec<u8> = parts.collect::<Option<_>>()?;
    let parts: [u8; 4] = parts.try_into().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(parts)))
}

/// Warns about an address that is written in an unusual way.
pub(super) fn ip(path: &Path<'_>, value: &str, out: &mut Vec<String>) {
    let Some(meant) = sloppy(value) else { return };
    match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => {}
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            if address.to_string() != value {
                let (value, right) = (go_quote(value), go_quote(&address.to_string()));
                out.push(format!("{path}: IPv6 address {value} should be in RFC 5952 canonical format ({right})"));
            }
        }
        _ => {
            let (value, right) = (go_quote(value), go_quote(&meant.to_string()));
            out.push(format!(
                "{path}: non-standard IP address {value} will be considered invalid in a future Kubernetes release: use {right}"
            ));
        }
    }
}

/// The address without the bits after the prefix.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(own) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(own) & mask))
        }
        IpAddr::V6(own) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(own) & mask))
        }
    }
}

/// Warns about a range that could mean one address, or is written in an unusual way.
pub(super) fn cidr(path: &Path<'_>, value: &str, out: &mut Vec<String>) {
    let Some((address, bits)) = value.split_once('/') else { return };
    let Some(meant) = sloppy(address) else { return };
    let n_bits = if meant.is_ipv4() { 32 } else { 128 };
    // An IPv4 address in the clothes of IPv6 has the prefix of IPv6.
    let extra = if meant.is_ipv4() && address.contains(':') { 96 } else { 0 };
    let Some(length) = bits.parse::<u8>().ok().and_then(|bits| bits.checked_sub(extra)) else { return };
    if length > n_bits {
        return;
    }
    let network = masked(meant, length);
    let (shown, range) = (go_quote(value), go_quote(&format!("{network}/{length}")));
    let n_before = out.len();
    if network != meant {
        let single = go_quote(&format!("{meant}/{n_bits}"));
        out.push(format!("{path}: CIDR value {shown} is ambiguous in this context (should be {range} or {single}?)"));
    }
    let is_standard = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => true,
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Err(_) => false,
    };
    let is_standard = is_standard && bits == length.to_string();
    if !is_standard {
        out.push(format!(
            "{path}: non-standard CIDR value {shown} will be considered invalid in a future Kubernetes release: use {range}"
        ));
    } else if out.len() == n_before && meant.is_ipv6() && format!("{meant}/{length}") != value {
        let right = go_quote(&format!("{meant}/{length}"));
        out.push(format!("{path}: IPv6 CIDR value {shown} should be in RFC 5952 canonical format ({right})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_addresses_are_warned_about() {
        let path = Path::ROOT.child("ip");
        for (address, said) in [
            ("10.0.0.1", ""),
            ("fd00::1", ""),
            (
                "010.0.0.1",
                "ip: non-standard IP address \"010.0.0.1\" will be considered invalid in a future Kubernetes release: use \"10.0.0.1\"",
            ),
            (
                "::ffff:10.0.0.1",
                "ip: non-standard IP address \"::ffff:10.0.0.1\" will be considered invalid in a future Kubernetes release: use \"10.0.0.1\"",
            ),
            ("FD00::0:1", "ip: IPv6 address \"FD00::0:1\" should be in RFC 5952 canonical format (\"fd00::1\")"),
            ("nonsense", ""),
        ] {
            let mut out = Vec::new();
            ip(&path, address, &mut out);
            assert_eq!(out.join("\n"), said, "{address}");
        }
    }

    #[test]
    fn unusual_ranges_are_warned_about() {
        let path = Path::ROOT.child("r");
        for (range, said) in [
            ("10.0.0.0/8", ""),
            (
                "10.0.0.1/8",
                "r: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)",
            ),
            (
                "010.0.0.0/8",
                "r: non-standard CIDR value \"010.0.0.0/8\" will be considered invalid in a future Kubernetes release: use \"10.0.0.0/8\"",
            ),
            ("FD00::/8", "r: IPv6 CIDR value \"FD00::/8\" should be in RFC 5952 canonical format (\"fd00::/8\")"),
            ("nonsense/8", ""),
        ] {
            let mut out = Vec::new();
            cidr(&path, range, &mut out);
            assert_eq!(out.join("\n"), said, "{range}");
        }
    }
}
