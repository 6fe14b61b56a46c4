//! x
#[derive(Clone, Debug, PartialEq, Eq)]
/// x
pub struct Taint {
    /** k */
    pub key: String,
    /** v */
    pub value: String,
    /** e */
    pub effect: TaintEffect,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
/// x
pub enum TaintEffect {
    /** a */
    NoSchedule,
}
impl TaintEffect {
    /** p */
    pub fn parse(_: &str) -> Option<TaintEffect> {
        None
    }
    /** s */
    pub fn as_str(self) -> &'static str {
        ""
    }
}
