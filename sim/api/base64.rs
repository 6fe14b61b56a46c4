//! Standard base64 with padding, with the errors of Go's `encoding/base64`.

/// The first byte of the input that is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptInput(
    /// Its offset in bytes.
    pub usize,
);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (i, &byte)| bits | u32::from(byte) << (16 - 8 * i));
        for i in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63] as char;
            text.push(if i <= chunk.len() { symbol } else { '=' });
        }
    }
    text
}

/// The bytes of `text`; line breaks are ignored, as Go does.
pub fn decode(text: &str) -> Result<Vec<u8>, CorruptInput> {
    let input = text.as_bytes();
    let mut bytes = Vec::with_capacity(input.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut quantum = [0u8; 4];
        let mut n = 0;
        let mut padded = false;
        while n < 4 {
            let Some(&byte) = input.get(at) else {
                return if n == 0 { Ok(bytes) } else { Err(CorruptInput(at - n)) };
            };
            at += 1;
            match byte {
                b'\n' | b'\r' => {}
                b'=' => {
                    if n < 2 {
                        return Err(CorruptInput(at - 1));
                    }
                    at = skip_padding(input, at, n)?;
                    padded = true;
                    break;
                }
                _ => {
                    let value = ALPHABET.iter().position(|&symbol| symbol == byte).ok_or(CorruptInput(at - 1))?;
                    quantum[n] = value as u8;
                    n += 1;
                }
            }
        }
        let whole =
            [quantum[0] << 2 | quantum[1] >> 4, quantum[1] << 4 | quantum[2] >> 2, quantum[2] << 6 | quantum[3]];
        bytes.extend_from_slice(&whole[..n - 1]);
        if padded {
            return Ok(bytes);
        }
    }
}

/// Past the padding that ends the input, of which one `=` at `at - 1` has been read.
fn skip_padding(input: &[u8], mut at: usize, n: usize) -> Result<usize, CorruptInput> {
    let breaks = |mut at: usize| {
        while matches!(input.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        at
    };
    at = breaks(at);
    if n == 2 {
        match input.get(at) {
            None => return Err(CorruptInput(input.len())),
            Some(b'=') => at += 1,
            Some(_) => return Err(CorruptInput(at - 1)),
        }
        at = breaks(at);
    }
    if at < input.len() { Err(CorruptInput(at)) } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_errors() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            assert_eq!(decode(&encode(text.as_bytes())), Ok(text.as_bytes().to_vec()));
        }
        assert_eq!(encode(b"v"), "dg==");
        assert_eq!(decode("***"), Err(CorruptInput(0)));
        assert_eq!(decode("not base64"), Err(CorruptInput(3)));
        assert_eq!(decode("YQ"), Err(CorruptInput(0)));
        assert!(decode("YQ==\n").is_ok());
        assert!(decode("YQ=").is_err());
    }
}
