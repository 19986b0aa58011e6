//! Verbs, options, human tables and JSON lines.
