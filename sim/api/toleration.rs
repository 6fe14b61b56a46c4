//! Taints and tolerations: which pods a node repels, and when it evicts them.

use std::fmt;

use k8s_openapi::api::core::v1 as k8s;

/// What a taint does to the pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaintEffect {
    /// They are not scheduled there.
    NoSchedule,
    /// They are scheduled elsewhere if possible.
    PreferNoSchedule,
    /// They are not scheduled there, and evicted from there.
    NoExecute,
}

/// A mark of a node that repels pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// The label-like key.
    pub key: String,
    /// The value, mostly empty.
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

/// How a toleration compares its value with a taint's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TolerationOperator {
    /// No operator given: the values are equal.
    Unset,
    /// The values are equal.
    Equal,
    /// Any value.
    Exists,
    /// The taint's value is a smaller integer (alpha).
    Lt,
    /// The taint's value is a larger integer (alpha).
    Gt,
    /// An operator that Kubernetes does not know: never a match.
    Unknown(String),
}

/// A pod's willingness to bear certain taints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// The key of the taints; empty for all.
    pub key: String,
    /// How the values are compared.
    pub operator: TolerationOperator,
    /// What the taint's value is compared with.
    pub value: String,
    /// The effect of the taints; none for all.
    pub effect: Option<TaintEffect>,
    /// How long the pod stays after a `NoExecute` taint appears, in seconds; none for ever.
    pub seconds: Option<i64>,
}

/// What the taint-eviction controller does with a pod on a tainted node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionVerdict {
    /// There is no `NoExecute` taint.
    None,
    /// A taint is not tolerated.
    EvictNow,
    /// All taints are tolerated without limit.
    StayForever,
    /// All taints are tolerated, for so many seconds.
    EvictAfter(i64),
}

impl TaintEffect {
    /// The effect of this name.
    pub fn parse(name: &str) -> Option<TaintEffect> {
        match name {
            "NoSchedule" => Some(TaintEffect::NoSchedule),
            "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
            "NoExecute" => Some(TaintEffect::NoExecute),
            _ => None,
        }
    }

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        }
    }
}

impl fmt::Display for TaintEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Taint {
    /// The taint of an API object, unless its effect is unknown.
    pub fn from_api(taint: &k8s::Taint) -> Option<Taint> {
        let effect = TaintEffect::parse(&taint.effect)?;
        Some(Taint { key: taint.key.clone(), value: taint.value.clone().unwrap_or_default(), effect })
    }
}

/// `key=value:effect`, as kubectl writes taints; without `=value` if there is none.
impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(f, "{}:{}", self.key, self.effect),
            value => write!(f, "{}={value}:{}", self.key, self.effect),
        }
    }
}

impl TolerationOperator {
    /// The operator of this name; no name is `Unset`.
    pub fn parse(name: &str) -> TolerationOperator {
        match name {
            "" => TolerationOperator::Unset,
            "Equal" => TolerationOperator::Equal,
            "Exists" => TolerationOperator::Exists,
            "Lt" => TolerationOperator::Lt,
            "Gt" => TolerationOperator::Gt,
            other => TolerationOperator::Unknown(other.to_owned()),
        }
    }

    /// The name in the API, empty if unset.
    pub fn as_str(&self) -> &str {
        match self {
            TolerationOperator::Unset => "",
            TolerationOperator::Equal => "Equal",
            TolerationOperator::Exists => "Exists",
            TolerationOperator::Lt => "Lt",
            TolerationOperator::Gt => "Gt",
            TolerationOperator::Unknown(name) => name,
        }
    }
}

impl Toleration {
    /// The toleration of an API object, unless its effect is unknown: such a toleration matches no taint.
    pub fn from_api(toleration: &k8s::Toleration) -> Option<Toleration> {
        let effect = match toleration.effect.as_deref().unwrap_or_default() {
            "" => None,
            name => Some(TaintEffect::parse(name)?),
        };
        Some(Toleration {
            key: toleration.key.clone().unwrap_or_default(),
            operator: TolerationOperator::parse(toleration.operator.as_deref().unwrap_or_default()),
            value: toleration.value.clone().unwrap_or_default(),
            effect,
            seconds: toleration.toleration_seconds,
        })
    }

    /// Any value of the key and effect, without limit.
    pub fn exists(key: &str, effect: TaintEffect) -> Toleration {
        Toleration {
            key: key.to_owned(),
            operator: TolerationOperator::Exists,
            value: String::new(),
            effect: Some(effect),
            seconds: None,
        }
    }

    /// Whether the taint is borne (default feature gates: `Lt` and `Gt` never match).
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.concerns(taint)
            && match self.operator {
                TolerationOperator::Unset | TolerationOperator::Equal => self.value == taint.value,
                TolerationOperator::Exists => true,
                _ => false,
            }
    }

    /// Whether the taint is borne with the feature gate `TaintTolerationComparisonOperators`.
    pub fn tolerates_with_comparison(&self, taint: &Taint) -> bool {
        let compare = |accept: fn(&i64, &i64) -> bool| {
            let (taint, own) = (decimal_integer(&taint.value), decimal_integer(&self.value));
            taint.zip(own).is_some_and(|(taint, own)| accept(&taint, &own))
        };
        match self.operator {
            TolerationOperator::Lt => self.concerns(taint) && compare(i64::lt),
            TolerationOperator::Gt => self.concerns(taint) && compare(i64::gt),
            _ => self.tolerates(taint),
        }
    }

    /// Whether the two differ in their seconds at most (`MatchToleration`).
    pub fn is_same_but_for_seconds(&self, other: &Toleration) -> bool {
        (&self.key, &self.operator, &self.value, self.effect)
            == (&other.key, &other.operator, &other.value, other.effect)
    }

    /// Whether key and effect are the taint's.
    fn concerns(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect) && (self.key.is_empty() || self.key == taint.key)
    }
}

/// The first taint with one of these effects that no toleration bears (`FindMatchingUntoleratedTaint`).
pub fn find_untolerated_taint<'a>(
    taints: &'a [Taint],
    tolerations: &[Toleration],
    effects: &[TaintEffect],
) -> Option<&'a Taint> {
    taints
        .iter()
        .filter(|taint| effects.contains(&taint.effect))
        .find(|taint| !tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

/// What the taint-eviction controller does with a pod: of each `NoExecute` taint's first matching toleration, the shortest
/// time counts.
pub fn taint_eviction(taints: &[Taint], tolerations: &[Toleration]) -> EvictionVerdict {
    let mut verdict = EvictionVerdict::None;
    for taint in taints.iter().filter(|taint| taint.effect == TaintEffect::NoExecute) {
        let Some(toleration) = tolerations.iter().find(|toleration| toleration.tolerates(taint)) else {
            return EvictionVerdict::EvictNow;
        };
        verdict = match (verdict, toleration.seconds) {
            (EvictionVerdict::EvictAfter(least), Some(seconds)) => {
                EvictionVerdict::EvictAfter(least.min(seconds.max(0)))
            }
            (_, Some(seconds)) => EvictionVerdict::EvictAfter(seconds.max(0)),
            (EvictionVerdict::None, None) => EvictionVerdict::StayForever,
            (verdict, None) => verdict,
        };
    }
    verdict
}

/// An integer without plus sign, leading zeros or negative zero.
fn decimal_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = text == "0" || digits.starts_with(|c: char| ('1'..='9').contains(&c));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str, effect: TaintEffect) -> Taint {
        Taint { key: key.to_owned(), value: value.to_owned(), effect }
    }

    fn toleration(key: &str, operator: &str, value: &str, effect: Option<TaintEffect>) -> Toleration {
        let operator = TolerationOperator::parse(operator);
        Toleration { key: key.to_owned(), operator, value: value.to_owned(), effect, seconds: None }
    }

    #[test]
    fn tolerations_match_taints() {
        use TaintEffect::{NoExecute, NoSchedule};
        let gpu = taint("gpu", "5", NoSchedule);
        for (toleration, plain, comparing, why) in [
            (toleration("gpu", "", "5", None), true, true, "no operator is Equal, no effect is any"),
            (toleration("gpu", "Equal", "6", None), false, false, "another value"),
            (toleration("gpu", "Exists", "", Some(NoSchedule)), true, true, "any value"),
            (toleration("gpu", "Exists", "", Some(NoExecute)), false, false, "another effect"),
            (toleration("", "Exists", "", None), true, true, "no key is any key"),
            (toleration("", "", "5", None), true, true, "an equal value of any key"),
            (toleration("cpu", "Exists", "", None), false, false, "another key"),
            (toleration("gpu", "Lt", "6", None), false, true, "5 < 6, with the gate on"),
            (toleration("gpu", "Gt", "6", None), false, false, "5 is not above 6"),
            (toleration("gpu", "Lt", "06", None), false, false, "leading zeros are no integer"),
            (toleration("gpu", "Bogus", "5", None), false, false, "an unknown operator"),
        ] {
            assert_eq!(toleration.tolerates(&gpu), plain, "{why}");
            assert_eq!(toleration.tolerates_with_comparison(&gpu), comparing, "{why}");
        }
    }

    #[test]
    fn the_shortest_toleration_counts() {
        let taints = [taint("a", "", TaintEffect::NoExecute), taint("b", "", TaintEffect::NoExecute)];
        let tolerate = |key, seconds| Toleration { seconds, ..toleration(key, "Exists", "", None) };
        for (tolerations, verdict, why) in [
            (vec![], EvictionVerdict::EvictNow, "not tolerated"),
            (vec![tolerate("a", Some(5))], EvictionVerdict::EvictNow, "one of two not tolerated"),
            (vec![tolerate("", None)], EvictionVerdict::StayForever, "no limit"),
            (vec![tolerate("a", Some(9)), tolerate("b", Some(5))], EvictionVerdict::EvictAfter(5), "the shorter"),
            (vec![tolerate("a", Some(9)), tolerate("", None)], EvictionVerdict::EvictAfter(9), "one has no limit"),
            (
                vec![tolerate("", Some(9)), tolerate("", Some(5))],
                EvictionVerdict::EvictAfter(9),
                "only the first match counts",
            ),
            (vec![tolerate("", Some(-5))], EvictionVerdict::EvictAfter(0), "negative is zero"),
        ] {
            assert_eq!(taint_eviction(&taints, &tolerations), verdict, "{why}");
        }
        assert_eq!(taint_eviction(&[taint("a", "", TaintEffect::NoSchedule)], &[]), EvictionVerdict::None);
    }
}
