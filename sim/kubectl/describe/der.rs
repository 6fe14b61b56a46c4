//! A PKCS #10 certificate request read: its subject and alternative names.
//!
//! Source: RFC 2986, RFC 5280; Go `crypto/x509` for which fields are shown.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Object identifiers and values of the subject, in order.
    subject: Vec<(String, String)>,
    pub(super) dns_names: Vec<String>,
    pub(super) emails: Vec<String>,
    pub(super) uris: Vec<String>,
    pub(super) addresses: Vec<String>,
}

impl Request {
    /// The last value of an attribute, or the empty text.
    pub(super) fn one(&self, id: &str) -> &str {
        self.subject.iter().rfind(|(known, _)| known == id).map_or("", |(_, value)| value)
    }

    /// All values of an attribute.
    pub(super) fn all(&self, id: &str) -> Vec<String> {
        self.subject.iter().filter(|(known, _)| known == id).map(|(_, value)| value.clone()).collect()
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const ATTRIBUTES: u8 = 0xa0;

/// Reads the PEM text of a request; `None` for anything else.
pub(super) fn parse_request(pem: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, body) = text.split_once("-----BEGIN CERTIFICATE REQUEST-----")?;
    let (body, _) = body.split_once("-----END CERTIFICATE REQUEST-----")?;
    let der = super::config::decode(body);
    let (_, outer) = element(&mut der.as_slice(), SEQUENCE)?;
    let (_, mut info) = element(&mut &*outer, SEQUENCE)?;
    next(&mut info)?; // version
    let (_, mut names) = element(&mut info, SEQUENCE)?;
    let mut request = Request::default();
    while !names.is_empty() {
        let (_, mut set) = element(&mut names, SET)?;
        while !set.is_empty() {
            let (_, mut pair) = element(&mut set, SEQUENCE)?;
            let (_, id) = element(&mut pair, IDENTIFIER)?;
            let (_, value) = next(&mut pair)?;
            request.subject.push((identifier(id), String::from_utf8_lossy(value).into_owned()));
        }
    }
    next(&mut info)?; // public key
    if let Some((_, attributes)) = element(&mut info, ATTRIBUTES) {
        extensions(attributes, &mut request);
    }
    Some(request)
}

/// Takes the next element: its tag and content.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, content))
}

fn element<'a>(bytes: &mut &'a [u8], wanted: u8) -> Option<(u8, &'a [u8])> {
    next(bytes).filter(|(tag, _)| *tag == wanted)
}

/// `2.5.4.3`
fn identifier(bytes: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut number = 0_u64;
    for &byte in bytes {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            match parts.is_empty() {
                true => parts.extend([(number / 40).min(2), number - 40 * (number / 40).min(2)]),
                false => parts.push(number),
            }
            number = 0;
        }
    }
    parts.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// The alternative names among the extensions that the attributes ask for; what cannot be read is left out.
fn extensions(mut attributes: &[u8], request: &mut Request) -> Option<()> {
    while !attributes.is_empty() {
        let (_, mut attribute) = element(&mut attributes, SEQUENCE)?;
        let (_, id) = element(&mut attribute, IDENTIFIER)?;
        if identifier(id) != "1.2.840.113549.1.9.14" {
            continue;
        }
        let (_, mut set) = element(&mut attribute, SET)?;
        let (_, mut all) = element(&mut set, SEQUENCE)?;
        while !all.is_empty() {
            let (_, mut extension) = element(&mut all, SEQUENCE)?;
            let (_, id) = element(&mut extension, IDENTIFIER)?;
            let (mut tag, mut value) = next(&mut extension)?;
            if tag != OCTETS {
                (tag, value) = next(&mut extension)?;
            }
            if identifier(id) == "2.5.29.17" && tag == OCTETS {
                alternative_names(value, request);
            }
        }
    }
    Some(())
}

fn alternative_names(mut bytes: &[u8], request: &mut Request) -> Option<()> {
    let (_, mut names) = element(&mut bytes, SEQUENCE)?;
    while !names.is_empty() {
        let (tag, value) = next(&mut names)?;
        let text = || String::from_utf8_lossy(value).into_owned();
        match tag & 0x1f {
            1 => request.emails.push(text()),
            2 => request.dns_names.push(text()),
            6 => request.uris.push(text()),
            7 => {
                let four = <[u8; 4]>::try_from(value).map(|bytes| Ipv4Addr::from(bytes).to_string());
                let sixteen = || <[u8; 16]>::try_from(value).map(|bytes| Ipv6Addr::from(bytes).to_string());
                request.addresses.extend(four.or_else(|_| sixteen()));
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request made from its parts: subject O=system:nodes, CN=system:node:n1; DNS name n1, address 10.0.0.1.
    #[test]
    fn a_request_is_read() {
        fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
            let content = parts.concat();
            let length = u8::try_from(content.len()).unwrap();
            let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
            [head, content].concat()
        }
        let id = |bytes: &[u8]| der(IDENTIFIER, &[bytes.to_vec()]);
        let name = |last: u8, value: &str| {
            let pair = der(SEQUENCE, &[id(&[0x55, 4, last]), der(0x0c, &[value.into()])]);
            der(SET, &[pair])
        };
        let subject = der(SEQUENCE, &[name(10, "system:nodes"), name(3, "system:node:n1")]);
        let names = der(SEQUENCE, &[der(0x82, &[b"n1".to_vec()]), der(0x87, &[vec![10, 0, 0, 1]])]);
        let extension = der(SEQUENCE, &[id(&[0x55, 0x1d, 0x11]), der(OCTETS, &[names])]);
        let request_id = id(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14]);
        let attribute = der(SEQUENCE, &[request_id, der(SET, &[der(SEQUENCE, &[extension])])]);
        let info =
            der(SEQUENCE, &[der(2, &[vec![0]]), subject, der(SEQUENCE, &[vec![]]), der(ATTRIBUTES, &[attribute])]);
        let whole = der(SEQUENCE, &[info]);
        let digits: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars().collect();
        let base64: String = whole
            .chunks(3)
            .flat_map(|chunk| {
                let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(chunk.get(i).copied().unwrap_or(0)));
                let digits = &digits;
                (0..=chunk.len()).map(move |i| digits[(bits >> (18 - 6 * i) & 63) as usize])
            })
            .collect();
        let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{base64}\n-----END CERTIFICATE REQUEST-----\n");
        let request = parse_request(pem.as_bytes()).expect("a request");
        assert_eq!(request.one("2.5.4.3"), "system:node:n1");
        assert_eq!(request.all("2.5.4.10"), ["system:nodes"]);
        assert_eq!((request.dns_names, request.addresses), (vec!["n1".to_owned()], vec!["10.0.0.1".to_owned()]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let mut request = Request::default();
            let _ = extensions(&bytes, &mut request);
            let _ = next(&mut bytes.as_slice());
            let _ = parse_request(&bytes);
        }
    }
}
