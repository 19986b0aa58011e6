//! Any text through `plan import`: no panic, and what it makes is a JSON object.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(made) = skydeck::plan::import::import(text) {
        let json: serde_json::Value = serde_json::from_str(&made.json).expect("import writes JSON");
        assert!(json.is_object());
    }
});
