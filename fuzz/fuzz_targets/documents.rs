//! Any text is read, accepted or refused without a panic; what is accepted is accepted again, unchanged by defaulting.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank::api::accept::{AcceptContext, accept, to_error};
use wavetank::api::document::read_str;

fuzz_target!(|text: &str| {
    let (documents, _) = read_str("fuzz.yaml", text);
    for document in documents {
        match accept(&document.value, &AcceptContext::default()) {
            Ok(accepted) => {
                let mut again = accepted.value.clone();
                (wavetank::api::objects::rules(accepted.info.kind).default)(&mut again);
                assert_eq!(again, accepted.value);
            }
            Err(refusal) => {
                to_error(&refusal, &document);
            }
        }
    }
});
