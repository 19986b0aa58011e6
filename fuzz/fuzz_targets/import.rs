//! Any text through `plan import`: no panic, and what it makes is a JSON object.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for made in skydeck::plan::import::import(text).unwrap_or_default() {
        let json: serde_json::Value = serde_json::from_str(&made.json).expect("import writes JSON");
        assert!(json.is_object());
    }
});
