//! What the model asks for, done: orders, questions, clipboard, title, bell, export, filters, the end.
//!
//! Invariant: nothing a server said reaches the terminal here except through [`skydeck_core::text`].

use super::app::App;
use super::console::Console;
use super::options::{Ended, Notify};
use super::words::Words;
use super::{filters, looks};
use crate::ui::msg::{Effect, Export, Msg, Report};
use skydeck_core::text::{osc52, show};
use skydeck_export::Style;
use skydeck_export::handover;
use skydeck_export::report::{self, Kept};
use std::path::PathBuf;

/// Bytes of a window title.
const TITLE: usize = 200;

impl<A: App> Console<A> {
    /// Does one thing. What is known at once comes back; the rest comes as a message later.
    pub(super) fn act(&mut self, effect: Effect) -> Option<Msg> {
        match effect {
            Effect::Submit(ticket, command) => self.engine.submit(ticket, command),
            Effect::Ask(ticket, query) => self.engine.ask(ticket, query),
            Effect::Copy(text) => Some(Msg::Done(self.copy(&text))),
            Effect::Export(export) => {
                self.export(export);
                None
            }
            Effect::Report(report) => {
                self.report(report);
                None
            }
            Effect::Handover(wanted) => {
                let (link, words, style) = (self.engine.link(), self.words, self.style());
                self.engine.task(async move {
                    let path = handover::to_file(link, &wanted, &style).await.map_err(|e| e.said(style.lang));
                    Msg::Done(path.map(|path| words.written(&show(&path.to_string_lossy(), 1024).into_string())))
                });
                None
            }
            Effect::Title(title) => {
                self.set_title(title);
                None
            }
            Effect::Bell => {
                match self.options.notify {
                    Notify::Off => {}
                    Notify::Bell => self.send(b"\x07"),
                    Notify::Desktop => self.send(b"\x1b]9;Skydeck\x07"),
                }
                None
            }
            Effect::Suspend => self.suspend(),
            Effect::Redraw => {
                self.redraw();
                None
            }
            Effect::SaveFilters(named) => {
                self.keep_filters(named);
                None
            }
            Effect::SaveLook(look) => {
                self.keep_look(&look);
                None
            }
            Effect::SaveLists(lists) => {
                let path = self.options.lists.as_ref()?;
                looks::save(path, &lists).err().map(|why| Msg::Done(Err(self.words.lists_not_kept(&why))))
            }
            Effect::Quit => {
                self.ended = self.ended.or(Some(Ended::Quit));
                None
            }
        }
    }

    fn copy(&mut self, text: &str) -> Result<String, String> {
        if !self.options.copy || !self.options.caps.xterm {
            return Err(self.words.cannot_copy());
        }
        let sequence = osc52(text).map_err(|e| self.words.too_long(e.bytes))?;
        self.send(sequence.as_bytes());
        Ok(self.words.sent_to_clipboard(text.chars().count(), self.options.caps.through))
    }

    fn set_title(&mut self, title: String) {
        if self.options.title && self.options.caps.xterm && title != self.title {
            self.send(format!("\x1b]2;{}\x07", show(&title, TITLE)).as_bytes());
            self.title = title;
        }
    }

    /// How files are written: in the language, and by the clock, of the screen.
    fn style(&self) -> Style {
        let (zone, now) = (self.options.zone.clone(), self.options.clock.now());
        Style { zone, lang: self.words.language(), causes: self.options.causes.clone(), codes: false, now }
    }

    fn report(&mut self, wanted: Report) {
        let (link, words, style) = (self.engine.link(), self.words, self.style());
        let kept = self.options.filters.as_ref().map(|path| path.with_file_name(report::KEPT));
        self.engine.task(async move { Msg::Done(report_to_file(link, wanted, style, kept, words).await) });
    }

    fn export(&mut self, wanted: Export) {
        let (link, words, style) = (self.engine.link(), self.words, self.style());
        self.engine.task(async move { Msg::Done(export_to_file(link, wanted, style, words).await) });
    }

    fn keep_filters(&mut self, named: Vec<crate::ui::View>) {
        let (Some(path), words) = (self.options.filters.clone(), self.words) else { return };
        self.engine.task(async move {
            let kept = tokio::task::spawn_blocking(move || filters::save(&path, &named)).await;
            match kept {
                Ok(Ok(())) => Msg::Done(Ok(words.filters_kept())),
                Ok(Err(e)) => Msg::Done(Err(words.filters_not_kept(&e))),
                Err(e) => Msg::Done(Err(words.filters_not_kept(&e.to_string()))),
            }
        });
    }
}

impl<A: App> Console<A> {
    /// Kept before the console may end: it is a small file.
    fn keep_look(&self, look: &crate::ui::looked::Looked) {
        let Some(path) = &self.options.looks else { return };
        // Where it cannot be kept the next look begins the evening before: no reason to hold anybody up.
        let _ = looks::save(path, look);
    }
}

async fn export_to_file(
    link: std::sync::Arc<dyn skydeck_engine::api::Link>,
    wanted: Export,
    style: Style,
    words: Words,
) -> Result<String, String> {
    let lang = style.lang;
    let done = skydeck_export::to_file(link, &wanted, style, |_| {}).await;
    let done = done.map_err(|e| e.said(lang))?;
    Ok(words.exported(done.rows, &show(&done.path.to_string_lossy(), 1024).into_string()))
}

async fn report_to_file(
    link: std::sync::Arc<dyn skydeck_engine::api::Link>,
    wanted: Report,
    style: Style,
    kept: Option<PathBuf>,
    words: Words,
) -> Result<String, String> {
    let (lang, name) = (style.lang, wanted.name());
    let path = kept.clone();
    let last = tokio::task::spawn_blocking(move || Some(Kept::load(&path?).last(&name)?.clone())).await;
    let done = report::to_file(link, &wanted, style, last.ok().flatten()).await.map_err(|e| e.said(lang))?;
    if let Some(path) = kept {
        let (name, seen) = (wanted.name(), done.seen);
        // Where it cannot be kept the next report says nothing of what changed: no reason to call this one a failure.
        let _ = tokio::task::spawn_blocking(move || Kept::keep(&path, &name, seen)).await;
    }
    Ok(words.exported(done.bills, &show(&done.path.to_string_lossy(), 1024).into_string()))
}
