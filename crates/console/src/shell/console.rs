//! The loop: take everything that is pending, then draw once; otherwise sleep.
//!
//! Invariants: a frame is drawn only when the one before was taken by the terminal; after [`START`] frames are on average
//! at least [`BETWEEN`] apart, those the engine causes always at least [`ENGINE`]; with nothing pending and no tick wanted there is
//! no timer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::app::App;
use super::crash::OnScreen;
use super::engine::{Ears, Engine};
use super::input::{self, Input};
use super::large;
use super::options::{Ended, ShellError, ShellOptions, require_terminal};
use super::screen::Screen;
use super::signals::{Said, Signals, stop_here};
use super::small;
use super::tty::Tty;
use super::words::Words;
use crate::ui::msg::{Effect, Key, Msg};
use skydeck_engine::api::Link;

/// Least time between two frames, on average over two: the second may follow at once, because the answer to a key's
/// question often comes a millisecond after the key's own frame. A held key repeats at 30 a second; pasted keys come
/// faster than anybody reads.
const BETWEEN: Duration = Duration::from_millis(10);
/// Least time between two frames that only the engine caused: ten a second whatever the event rate.
const ENGINE: Duration = Duration::from_millis(100);
/// How long after the start each answer is shown at once: the first picture is put together from several.
const START: Duration = Duration::from_millis(50);
/// Inputs taken before a frame gets its turn.
const INPUTS: usize = 1024;
/// Messages of the engine taken before a frame gets its turn.
const MESSAGES: usize = 512;

/// Runs the console until it ends. The first frame is drawn before anything is asked of the engine.
///
/// `first`: the effects the model was born with.
///
/// # Errors
/// [`ShellError`] when there is no terminal, or it refuses.
pub async fn run<A: App>(
    app: A,
    first: Vec<Effect>,
    link: Arc<dyn Link>,
    options: ShellOptions,
) -> Result<Ended, ShellError> {
    require_terminal()?;
    // Signals before the terminal: between the two a SIGTERM would leave it raw.
    let signals = Signals::new()?;
    let tty = Tty::enter(options.mouse, options.title && options.caps.xterm)?;
    let inputs = input::listen()?;
    let words = Words { chinese: options.chinese };
    let (engine, ears) = Engine::connect(link, options.who.clone(), words);
    let size = Tty::size();
    let (columns, rows) = large::drawn(size);
    let now = Instant::now();
    let console = Console {
        app,
        screen: Screen::new(options.caps, columns, rows),
        size,
        tty,
        signals,
        inputs,
        engine,
        ears,
        words,
        options,
        started: now,
        last_frame: now.checked_sub(ENGINE).unwrap_or(now),
        frame_before: now.checked_sub(ENGINE).unwrap_or(now),
        last_now: now,
        dirty: true,
        hidden: false,
        hurry: true,
        stopped: false,
        title: String::new(),
        ended: None,
    };
    OnScreen(Box::pin(console.live(first))).await
}

pub(super) struct Console<A> {
    pub(super) app: A,
    pub(super) screen: Screen,
    /// Columns and rows as the terminal says.
    size: (u16, u16),
    pub(super) tty: Tty,
    signals: Signals,
    inputs: mpsc::Receiver<Input>,
    pub(super) engine: Engine,
    ears: Ears,
    pub(super) words: Words,
    pub(super) options: ShellOptions,
    started: Instant,
    last_frame: Instant,
    frame_before: Instant,
    last_now: Instant,
    dirty: bool,
    /// The last picture said that the terminal is too small.
    hidden: bool,
    /// A key or an answer waits to be seen: the next frame need not wait for the engine's pace.
    hurry: bool,
    /// We gave the terminal away and wait for SIGCONT.
    stopped: bool,
    pub(super) title: String,
    pub(super) ended: Option<Ended>,
}

enum Wake {
    Said(Said),
    Input(Input),
    Engine(Msg),
    Answer(Msg),
    Writable,
    Time,
}

impl<A: App> Console<A> {
    async fn live(mut self, first: Vec<Effect>) -> Result<Ended, ShellError> {
        let (columns, rows) = large::room(self.size);
        self.tell(Msg::Now(self.options.clock.now()));
        self.tell(Msg::Resize(columns, rows));
        self.draw();
        self.perform(first);
        loop {
            self.draw_if_due();
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let wake = self.wake().await;
            self.last_now = Instant::now();
            self.tell(Msg::Now(self.options.clock.now()));
            self.take(wake);
            self.drain();
            self.dirty |= self.app.take_dirty();
        }
    }

    /// What happens next, in the order in which it must be heard.
    async fn wake(&mut self) -> Wake {
        let draw_at = self.draw_at();
        let tick_at = self.app.wants_tick().map(|every| self.last_now + every.max(BETWEEN));
        tokio::select! {
            biased;
            // An end or a suspension must never wait behind a flood of keys or facts.
            said = self.signals.next() => Wake::Said(said),
            // Then the operator: keys are heard even while the terminal takes nothing.
            input = self.inputs.recv() => Wake::Input(input.unwrap_or(Input::Gone)),
            // Then the way out: the sooner a frame is gone, the sooner the next may be made.
            () = self.tty.writable() => Wake::Writable,
            // A frame that is due goes before facts, or a flood of them would put it off for ever.
            () = until(draw_at) => Wake::Time,
            // Answers before news: they were asked for, and a resync makes them stale.
            Some(answer) = self.ears.answers.recv() => Wake::Answer(answer),
            Some(news) = self.ears.notices.recv() => Wake::Engine(news),
            // Last, because every other message tells the time too.
            () = until(tick_at) => Wake::Time,
        }
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Said(said) => self.hear(said),
            Wake::Input(input) => self.input(input),
            Wake::Answer(msg) => {
                self.hurry = true;
                self.tell(msg);
            }
            Wake::Engine(msg) => self.tell(msg),
            Wake::Writable => {
                if self.tty.flush().is_err() {
                    self.ended = Some(Ended::TerminalGone);
                }
            }
            Wake::Time => {}
        }
    }

    /// Everything else that is there already, so that one frame shows it all.
    fn drain(&mut self) {
        for _ in 0..INPUTS {
            match self.inputs.try_recv() {
                Ok(input) if self.ended.is_none() => self.input(input),
                _ => break,
            }
        }
        for _ in 0..MESSAGES {
            match self.ears.answers.try_recv() {
                Ok(answer) => {
                    self.hurry = true;
                    self.tell(answer);
                }
                Err(_) => break,
            }
        }
        for _ in 0..MESSAGES {
            match self.ears.notices.try_recv() {
                Ok(news) => self.tell(news),
                Err(_) => break,
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.hurry = true;
        let (columns, rows) = self.screen.size();
        // Also when there is room again, until the console has been drawn in it.
        let hidden = self.hidden || small::is_too_small(columns, rows);
        match input {
            Input::Msg(msg) if hidden && !small::takes(&msg) => {}
            Input::Msg(msg) => self.tell(msg),
            Input::Gone => self.ended = Some(Ended::TerminalGone),
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::End(number) => self.ended = Some(Ended::Signal(number)),
            // The model decides, as for the key: with a live run it refuses and says why.
            Said::Stop => self.tell(Msg::Key(Key::ctrl('z'))),
            Said::Continued => self.come_back(),
            // While we are suspended the terminal is not ours to measure; coming back does it.
            Said::Resized if self.stopped => {}
            Said::Resized => self.measure(),
        }
    }

    /// Gives the model a message and does what it asks, and what comes of that.
    pub(super) fn tell(&mut self, msg: Msg) {
        let mut messages = VecDeque::from([msg]);
        while let Some(msg) = messages.pop_front() {
            for effect in self.app.update(msg) {
                messages.extend(self.act(effect));
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Some(msg) = self.act(effect) {
                self.tell(msg);
            }
        }
    }

    /// When the next frame may be drawn; `None` when none is wanted or the terminal is still at the last one.
    fn draw_at(&self) -> Option<Instant> {
        let starting = self.last_frame.saturating_duration_since(self.started) < START;
        let at = if self.hurry && starting {
            self.last_frame
        } else if self.hurry {
            self.frame_before + 2 * BETWEEN
        } else {
            self.last_frame + ENGINE
        };
        (self.dirty && !self.stopped && self.tty.is_idle()).then_some(at)
    }

    fn draw_if_due(&mut self) {
        self.dirty |= self.app.take_dirty();
        if self.draw_at().is_some_and(|at| at <= Instant::now()) {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let (columns, rows) = self.screen.size();
        let (app, size, chinese) = (&self.app, self.size, self.words.chinese);
        self.hidden = small::is_too_small(columns, rows);
        let frame = if self.hidden {
            self.screen.frame(|picture| small::paint(picture, chinese))
        } else {
            self.screen.frame(|picture| large::paint(picture, size, chinese, |picture| app.view(picture)))
        };
        self.send(&frame);
        let _ = self.app.take_dirty();
        self.dirty = false;
        self.hurry = false;
        self.frame_before = std::mem::replace(&mut self.last_frame, Instant::now());
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        if !self.stopped && !bytes.is_empty() && self.tty.send(bytes).is_err() {
            self.ended = Some(Ended::TerminalGone);
        }
    }

    pub(super) fn redraw(&mut self) {
        self.screen.forget();
        self.dirty = true;
        self.hurry = true;
    }

    /// The size may be another one; the whole picture is drawn again in any case.
    fn measure(&mut self) {
        self.size = Tty::size();
        let (columns, rows) = large::drawn(self.size);
        self.screen.resize(columns, rows);
        self.dirty = true;
        self.hurry = true;
        let (columns, rows) = large::room(self.size);
        self.tell(Msg::Resize(columns, rows));
    }

    /// Gives the terminal to the shell that started us until it lets us go on. The stop reaches our threads in its
    /// own time, so nothing is drawn before SIGCONT has said that it is over.
    pub(super) fn suspend(&mut self) -> Option<Msg> {
        self.tty.leave();
        self.stopped = true;
        if stop_here().is_ok() {
            return None;
        }
        self.come_back();
        Some(Msg::Done(Err(self.words.no_job_control())))
    }

    /// Takes the terminal again: we were stopped, by ourselves or by somebody, and its modes may be anybody's.
    fn come_back(&mut self) {
        self.stopped = false;
        if self.tty.again().is_err() {
            self.ended = Some(Ended::TerminalGone);
        }
        self.title.clear();
        self.measure();
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
