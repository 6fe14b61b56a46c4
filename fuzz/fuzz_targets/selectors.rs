//! Any text is a selector or an error, and a printed selector reads as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank::api::selector::Selector;

fuzz_target!(|text: &str| {
    if let Ok(selector) = text.parse::<Selector>() {
        let printed = selector.to_string();
        let again: Selector = printed.parse().expect("a printed selector is one");
        assert_eq!(again.to_string(), printed);
    }
});
