//! The digest of a run: a 128-bit hash of its timeline. Two runs with the same digest are the same run.

use std::fmt;

/// A running hash. Not cryptographic; two independent 64-bit lanes of multiply and rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    lanes: [u64; 2],
}

impl Default for Digest {
    fn default() -> Self {
        Digest { lanes: [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344] }
    }
}

impl Digest {
    /// Mixes in one number.
    pub fn add(&mut self, word: u64) {
        self.lanes[0] = (self.lanes[0] ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        self.lanes[1] = (self.lanes[1].rotate_left(27) ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    }

    /// Mixes in a text with its length.
    pub fn add_text(&mut self, text: &str) {
        self.add(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    /// The hash so far.
    pub fn value(&self) -> u128 {
        let [mut a, mut b] = self.lanes;
        for _ in 0..3 {
            a = (a ^ (a >> 29) ^ b).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            b = (b ^ (b >> 32) ^ a).wrapping_mul(0x94d0_49bb_1331_11eb);
        }
        u128::from(a) << 64 | u128::from(b)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_borders_count() {
        let of = |texts: &[&str]| {
            let mut digest = Digest::default();
            texts.iter().for_each(|text| digest.add_text(text));
            digest.to_string()
        };
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
        assert_ne!(of(&[]), of(&[""]));
    }
}
