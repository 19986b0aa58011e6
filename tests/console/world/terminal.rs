//! A console in the world, driven by keys; what it orders, and its picture as text.

use std::sync::Arc;

use super::records::fact;
use super::{NOW, World, before, run_id};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use skydeck::domain::cause::{BUILT_IN, CauseTable};
use skydeck::domain::command::Command;
use skydeck::domain::event::{Event, Fact};
use skydeck::domain::live::Live;
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::text::Measure;
use skydeck::ui::msg::{Code, Drawn, Effect, Key, Msg};
use skydeck::ui::skin::Role;
use skydeck::ui::{Lang, Model, Skin, UiConfig, update, view};

/// A console in the world, driven by keys.
pub struct Console {
    pub world: World,
    pub model: Model,
    pub orders: Vec<Command>,
    pub effects: Vec<Effect>,
    pub now: Ts,
    size: (u16, u16),
}

impl Console {
    pub fn new(world: World, lang: Lang, size: (u16, u16)) -> Self {
        Self::with(world, UiConfig { lang, size, ..UiConfig::default() })
    }

    pub fn with(world: World, config: UiConfig) -> Self {
        let size = config.size;
        let (model, effects) = Model::new(UiConfig {
            skin: Skin::of_roles(),
            now: NOW,
            zone_minutes: 480,
            site: "Asia/Shanghai".parse().unwrap(),
            version: "0.2.0".into(),
            user: "li.wei@10.0.0.7".into(),
            causes: toml::from_str::<CauseTable>(BUILT_IN).unwrap(),
            ..config
        });
        let mut console = Self { world, model, orders: vec![], effects: vec![], now: NOW, size };
        console.pump(effects);
        console.send(Msg::Pulse(console.world.pulse()));
        console
    }

    /// With run 9 at work.
    pub fn working(mut self) -> Self {
        let mut facts = self.world.run_facts();
        // More than were called by now.
        if let Some(Event::RunCollected { collected, .. }) = facts.get_mut(2).map(|fact| &mut fact.event) {
            collected.callable = collected.callable.max(31);
        }
        self.send(Msg::Facts(Arc::from(facts)));
        self
    }

    /// With run 9 collected by this console, waiting for approval.
    pub fn collected(mut self) -> Self {
        let facts: Vec<Fact> = self.world.run_facts().into_iter().take(3).collect();
        self.keys("r");
        let ticket = self.effects.iter().rev().find_map(|e| match e {
            Effect::Submit(t, _) => Some(*t),
            _ => None,
        });
        let run = Some(run_id(9));
        let receipt = skydeck::domain::command::Receipt::Accepted { run, more: Vec::new(), bills: 0 };
        self.send(Msg::Receipt(ticket.unwrap(), Ok(receipt)));
        self.send(Msg::Facts(Arc::from(facts)));
        self
    }

    pub fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        self.pump(effects);
    }

    pub fn wait(&mut self, ms: i64) {
        self.now = Ts(self.now.0 + ms);
        self.send(Msg::Now(self.now));
    }

    fn pump(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Ask(ticket, query) => {
                    let answer = self.world.answer(query);
                    self.send(Msg::Answered(*ticket, Ok(answer)));
                }
                Effect::Submit(_, command) => self.orders.push(command.clone()),
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    /// Plain characters, and names in angle brackets: `<Enter>`, `<C-d>`.
    pub fn keys(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let key = if let Some((name, after)) = rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                rest = after;
                named(name)
            } else {
                rest = &rest[c.len_utf8()..];
                Key::char(c)
            };
            self.send(Msg::Key(key));
        }
        self
    }

    pub fn draw(&self) -> (Buffer, Drawn) {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        let drawn = view(&self.model, &mut buf);
        (buf, drawn)
    }
}

fn named(name: &str) -> Key {
    if let Some(c) = name.strip_prefix("C-") {
        return Key::ctrl(c.chars().next().unwrap());
    }
    Key::plain(match name {
        "Enter" => Code::Enter,
        "Esc" => Code::Esc,
        "Tab" => Code::Tab,
        "BackTab" => Code::BackTab,
        "Down" => Code::Down,
        "Space" => Code::Char(' '),
        "Backspace" => Code::Backspace,
        other => panic!("{other}"),
    })
}

/// The picture as text, and as role letters: stepped by cell width, blanks at the ends cut.
pub fn dump(buf: &Buffer, measure: Measure) -> (String, String) {
    let (mut text, mut roles) = (String::new(), String::new());
    for y in 0..buf.area.height {
        let (mut line, mut letters) = (String::new(), String::new());
        let mut x = 0;
        while x < buf.area.width {
            let cell = buf.cell((x, y)).unwrap();
            line.push_str(cell.symbol());
            let blank = cell.symbol() == " ";
            let letter = Skin::role_of(cell.style()).map_or(' ', Role::letter);
            let width = measure.cluster(cell.symbol()).max(1) as u16;
            for _ in 0..width {
                letters.push(if blank { ' ' } else { letter });
            }
            x += width;
        }
        text.push_str(line.trim_end());
        text.push('\n');
        roles.push_str(letters.trim_end());
        roles.push('\n');
    }
    (text, roles)
}

/// A live state that knows of an interrupted run.
pub fn interrupted(world: &World) -> Live {
    let mut live = Live::default();
    for fact in world.run_facts() {
        live.apply(&fact);
    }
    live.apply(&fact(9999, before(10), Event::RunInterrupted { run: run_id(9) }));
    live
}

pub fn console() -> Console {
    Console::new(World::new(false), Lang::En, (80, 24))
}

pub fn text(console: &Console) -> String {
    dump(&console.draw().0, Measure::Narrow).0
}

pub fn production() -> Console {
    Console::new(World::new(true), Lang::En, (80, 24)).collected()
}

pub fn orders(console: &Console) -> Vec<&'static str> {
    console.orders.iter().map(Command::verb).collect()
}

pub fn other() -> Who {
    Who {
        uid: 1005,
        login: "zhao".into(),
        from: Some("10.0.3.9".into()),
        name: None,
        origin: None,
        person: None,
        host: None,
    }
}
