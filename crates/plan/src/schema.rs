//! The JSON Schema of a plan file: strict for the `skydeck` object, open for the vendor's keys.
//!
//! Invariant: it names exactly the keys that reading knows, with the same limits and defaults (tests compare them).

/// The schema, draft 2020-12, as text.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::effect::{MAX_CHARS, MAX_TESTS, MAX_VALUES};
    use super::super::policy::{
        DEFAULT_ZONE, KEYS, MAX_ATTEMPTS, MAX_BATCH, MAX_CONFIRM_EVERY, MAX_SWEEP_HOURS, SCHEDULE_KEYS,
    };
    use super::super::source::MAX_PAGE;
    use super::*;
    use skydeck_core::domain::plan::Policy;

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    #[test]
    fn limits_and_defaults_are_the_readers_own() {
        let (schema, default) = (schema(), Policy::default());
        for (pointer, value) in [
            ("page_size/maximum", json!(MAX_PAGE)),
            ("page_size/default", json!(default.page_size)),
            ("batch/maximum", json!(MAX_BATCH)),
            ("batch/default", json!(default.batch)),
            ("submit/default", json!(default.submit)),
            ("overlap/default", json!(format!("{}m", default.overlap.as_secs() / 60))),
            ("sweep_hours/maximum", json!(MAX_SWEEP_HOURS)),
            ("sweep_hours/default", json!(default.sweep_hours)),
            ("max_attempts/maximum", json!(MAX_ATTEMPTS)),
            ("max_attempts/default", json!(default.max_attempts)),
            ("carry_over/default", json!(default.carry_over)),
            ("confirm_every/maximum", json!(MAX_CONFIRM_EVERY)),
            ("confirm_every/default", json!(default.confirm_every)),
            ("schedule/properties/zone/default", json!(DEFAULT_ZONE)),
            ("done/maxItems", json!(MAX_TESTS)),
            ("mine/maxLength", json!(MAX_CHARS)),
        ] {
            assert_eq!(schema.pointer(&format!("/properties/skydeck/properties/{pointer}")), Some(&value), "{pointer}");
        }
        // Field and word, then the values.
        assert_eq!(schema.pointer("/$defs/shown/maxItems"), Some(&json!(2 + MAX_VALUES)));
    }

    #[test]
    fn schema_and_reader_know_the_same_keys() {
        let schema = schema();
        for (pointer, known) in [
            ("/properties/skydeck/properties", KEYS.to_vec()),
            ("/properties/skydeck/properties/schedule/properties", SCHEDULE_KEYS.to_vec()),
        ] {
            let keys: Vec<&str> =
                schema.pointer(pointer).unwrap().as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, known, "{pointer}");
        }
    }
}
