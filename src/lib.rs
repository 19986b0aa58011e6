//! Skydeck: a terminal operations console for Kingdee K/3Cloud (金蝶云星空) integration plans.
//!
//! The promise: **what it says happened to a bill is what happened; no bill is forgotten or audited twice.**
//! This page is the map of the code as it is.
//!
//! ```text
//!           keys, resize, signals                                     ERP (HTTP)
//!                  │                                                      ▲
//!         ┌────────▼────────┐   Order, Query      ┌──────────┐   ┌────────┴───────┐
//!         │      shell      │────────────────────▶│   link   │──▶│     engine     │
//!         │ terminal, loop  │◀────────────────────│  local   │   │ ledger+runners │
//!         └───┬────────▲────┘  Live + Facts, Page └────┬─────┘   └───┬────────┬───┘
//!       Msg   │        │ Effect                        │       append│        │ calls
//!         ┌───▼────────┴────┐                          │ pages   ┌───▼───┐ ┌──▼───┐
//!         │  ui (pure)      │                          └────────▶│ store │ │ erp  │
//!         │ update · view   │                                    └───┬───┘ └──┬───┘
//!         └────────┬────────┘            everything speaks           │        │
//!                  └──────────────────────▶  domain (pure)  ◀────────┴────────┘
//! ```
//!
//! # Rooms
//! - [`domain`]: the nouns and rules. Ids, bills and outcomes, runs and their sum, facts, orders, the live state as a
//!   fold of facts, the filter language, the confirm ladder, causes as data. Pure.
//! - [`plan`]: the vendor's plan files ⇄ [`domain::plan::Plan`]; templates, conditions, lint, import, schedules. Pure.
//! - [`store`]: trait `Store`; `memory` for tests; `local` = journal (the truth) + sled (an index in blocks, the latest changes in a memtable before it, rebuildable);
//!   `doctor`, `backup`, `prune`; `actions` the action log's file.
//! - [`engine`]: the one writer of facts, one runner a run, one dispatcher an environment, recovery, settling.
//!   `guard`: roles, and the lines of the action log before and after. [`engine::api`]: submit, ask, watch: how every
//!   reader and every verb talks to it. [`engine::ports`]: trait `Erp`, what it asks of an ERP.
//! - [`erp`]: the Kingdee client behind that trait: signing, sessions, strict decoding, classification.
//! - [`link`]: the engine in this process (`local`) or through the socket of the process that holds the data directory
//!   (`serve`, `remote`, `frame`).
//! - [`host`]: what a process that stays does beside the engine: schedules, alerts, metrics. Readers of the link.
//! - [`ui`]: model, update, view, key table, languages, themes. No I/O, no clock.
//! - [`shell`]: terminal guard, input, the loop, the screen writer.
//! - [`term`]: bytes of the terminal to keys, pastes and clicks; knows nothing of the product.
//! - [`text`]: the one choke point from outside bytes to shown text.
//! - [`sim`]: simulated systems, Kingdee and generic JSON, an independent reading of the protocols; shares no code with `erp`.
//! - [`annals`]: a made-up past: dated facts over many days, for demos and benches.
//! - [`forecast`]: what is usual for a plan, learned from its facts; silent until it beats its baseline. Pure.
//! - [`export`]: a list as a file: CSV, JSON lines, Markdown, HTML; console and verbs write it.
//! - [`cli`], [`config`], [`secret`], [`boot`]: verbs, configuration, secrets, and the composition root; [`exit`]: how a verb
//!   ends.
//!
//! # Invariants
//! 1. Nothing is shown before it is durable: persist, then publish.
//! 2. No write leaves before its intent is durable; a failed flush stops all writes.
//! 3. State changes only by applying [`domain::event::Fact`]s.
//! 4. `ui` does no I/O and has no clock.
//! 5. One writer: the engine's ledger.
//! 6. Memory does not grow with history.
//! 7. Idle sends zero bytes to the terminal.
//! 8. The terminal is restored before anything is printed, on panic and hang-up too.
//! 9. Every write passes the engine's permission check, whatever door the order came through; who gave an order is the kernel's
//!    word, and its line in the action log is durable before anything is done.
//! 10. Secrets never reach Debug, logs, history, exports or messages.
//! 11. Server text becomes [`text::Shown`] before it reaches a person's screen.
//! 12. `found = audited + already audited + skipped + failed + unknown + waiting`, in every run, always.
//!
//! `tests/layers.rs` fails on a forbidden import; `tests/tidy/` keeps the house in order.
//! `docs/architecture.md` is the map with the reasons behind it, `docs/adding/` the steps of the usual additions.

pub mod boot;
pub mod cli;
pub mod config;
pub mod exit;
pub mod host;
pub mod secret;

pub use skydeck_annals as annals;
pub use skydeck_console::{shell, ui};
pub use skydeck_core::{domain, text};
pub use skydeck_engine as engine;
pub use skydeck_export as export;
pub use skydeck_forecast as forecast;
pub use skydeck_http as http;
pub use skydeck_ipc as link;
pub use skydeck_kingdee as erp;
pub use skydeck_plan as plan;
pub use skydeck_sim as sim;
pub use skydeck_store as store;
#[cfg(feature = "postgres")]
pub use skydeck_store_postgres as postgres;
pub use skydeck_term as term;
