//! Any text is a quantity or an error, and a printed quantity reads as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank::api::quantity::Quantity;

fuzz_target!(|text: &str| {
    if let Ok(quantity) = text.parse::<Quantity>() {
        let printed = quantity.to_string();
        let again: Quantity = printed.parse().expect("a printed quantity is one");
        assert_eq!(again, quantity);
        assert_eq!(again.to_string(), printed);
    }
});
