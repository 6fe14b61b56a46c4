//! stub
use super::*;
/// r
pub struct EvictionRefused {
    /** t */
    pub text: String,
}
impl Cluster {
    /** e */
    pub fn evict(&mut self, _: PodId, _: Option<u32>) -> Result<(), EvictionRefused> {
        Ok(())
    }
}
