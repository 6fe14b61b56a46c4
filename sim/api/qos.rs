//! x
/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QosClass {
    /** a */
    A,
}
impl QosClass {
    /** s */
    pub fn as_str(self) -> &'static str {
        ""
    }
}
/// x
pub fn qos_class(_: &k8s_openapi::api::core::v1::PodSpec) -> QosClass {
    QosClass::A
}
