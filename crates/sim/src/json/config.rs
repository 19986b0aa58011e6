//! What a JSON system is made from, and the faults that go by one word.
//!
//! Invariant: the same configuration and the same start time give the same system.

use super::gate::JsonCredentials;
use super::settings::JsonSettings;
use crate::faults::FaultPlan;
use crate::presets::Verbs;

/// How this system calls what presets strike.
const VERBS: Verbs = Verbs {
    main: "create",
    moves: &["submit", "approve", "close"],
    undone: &["submit", "approve", "close"],
    makes: &["create"],
    bytes: true,
};

/// Rules by the name of a preset.
pub fn preset(name: &str) -> Option<FaultPlan> {
    FaultPlan::preset_for(name, &VERBS)
}

/// What a JSON system is made from.
#[derive(Clone, Debug)]
pub struct JsonConfig {
    /// Seed of data, tokens and faults.
    pub seed: u64,
    /// How many orders; customers and forms are a tenth, at least eight, at most 2,000.
    pub orders: usize,
    /// Some notes hold control characters, escape sequences and formulas.
    pub hostile: bool,
    /// Time every answer takes, in milliseconds.
    pub delay_ms: u64,
    /// Faults.
    pub faults: FaultPlan,
    /// What it decides.
    pub settings: JsonSettings,
    /// Who may call.
    pub credentials: JsonCredentials,
}

impl Default for JsonConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            orders: 300,
            hostile: false,
            delay_ms: 0,
            faults: FaultPlan::default(),
            settings: JsonSettings::default(),
            credentials: JsonCredentials::default(),
        }
    }
}
