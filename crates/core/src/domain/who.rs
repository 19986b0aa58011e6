//! Who gave an order.
//!
//! Invariant: two persons are compared by what the kernel tells of them, never by a name they chose.

use serde::{Deserialize, Serialize};

use super::language::Language;

/// The person, schedule or engine behind an action. `uid` and `name` are facts told by the kernel; the rest are hints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Numeric user id of the process, or of the peer on the socket.
    pub uid: u32,
    /// Login name as the sender claims it, for people.
    pub login: String,
    /// Address of the SSH client, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The user's name as the system knows it by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What gave the order. Absent in what 0.1.0 wrote: see [`Who::origin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The person over several hosts, where a shared store knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<u32>,
    /// The machine it was given on, where several write to one store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What gives orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody at a console or with a verb.
    Person,
    /// The clock.
    Schedule,
    /// The engine by itself.
    Engine,
}

/// Login under which 0.1.0 told what the clock started.
const SCHEDULE: &str = "schedule";
/// Login under which 0.1.0 told what the engine did by itself.
const ENGINE: &str = "skydeck";

impl Who {
    /// A person, as the door it came through knows it.
    pub fn of_person(uid: u32, login: impl Into<String>, from: Option<String>) -> Self {
        Self { uid, login: login.into(), from, name: None, origin: Some(Origin::Person), person: None, host: None }
    }

    /// The clock of the process of this user.
    pub fn schedule(uid: u32) -> Self {
        Self { origin: Some(Origin::Schedule), ..Self::of_person(uid, SCHEDULE, None) }
    }

    /// The engine of the process of this user.
    pub fn engine(uid: u32) -> Self {
        Self { origin: Some(Origin::Engine), ..Self::of_person(uid, ENGINE, None) }
    }

    /// What gave the order. 0.1.0 told it by the login alone.
    pub fn origin(&self) -> Origin {
        match (self.origin, self.login.as_str()) {
            (Some(origin), _) => origin,
            (None, SCHEDULE) => Origin::Schedule,
            (None, ENGINE) => Origin::Engine,
            (None, _) => Origin::Person,
        }
    }

    /// Whether the clock gave it.
    pub fn is_schedule(&self) -> bool {
        self.origin() == Origin::Schedule
    }

    /// Whether two orders came from one person: by the person where both are known, else by the user id, which says something
    /// on one machine only. `None`: that is not known.
    pub fn same_person(&self, other: &Self) -> Option<bool> {
        match (self.person, other.person) {
            (Some(one), Some(two)) => Some(one == two),
            (None, _) | (_, None) => (self.host == other.host).then_some(self.uid == other.uid),
        }
    }

    /// All that it is called where a filter asks for it, in both languages.
    pub fn names(&self) -> Vec<String> {
        let said = [Language::En, Language::Zh].map(|lang| self.said(lang));
        let own = self.name.iter().cloned().chain([self.login.clone()]);
        let mut names: Vec<String> = own.chain(said).collect();
        names.dedup();
        names
    }

    /// For people, in their language. [`Display`](std::fmt::Display) is for programs and never changes.
    pub fn said(&self, lang: Language) -> String {
        let name = match (self.origin(), lang) {
            (Origin::Person, Language::En) => return self.to_string(),
            (Origin::Schedule, lang) => return lang.t("schedule", "定时").to_owned(),
            (Origin::Engine, lang) => return lang.t("skydeck", "程序").to_owned(),
            (Origin::Person, Language::Zh) => self.name.as_ref().unwrap_or(&self.login),
        };
        let claims = if *name == self.login { String::new() } else { format!("（自称 {}）", self.login) };
        let from = self.from.as_ref().map(|from| format!("@{from}")).unwrap_or_default();
        let host = self.host.as_ref().map(|host| format!("（{host}）")).unwrap_or_default();
        format!("{name}{claims}{from}{host}")
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name.as_ref().unwrap_or(&self.login);
        f.write_str(name)?;
        if *name != self.login {
            write!(f, " (says {})", self.login)?;
        }
        if let Some(from) = &self.from {
            write!(f, "@{from}")?;
        }
        match &self.host {
            Some(host) => write!(f, " on {host}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_makes_nobody_the_schedule_and_nobody_another_person() {
        let claims = Who::of_person(1000, SCHEDULE, None);
        assert_eq!(claims.origin(), Origin::Person);
        let old = Who { origin: None, ..claims.clone() };
        assert!(old.is_schedule(), "0.1.0 wrote the login alone");
        assert_eq!(Who { login: "wang".into(), ..old.clone() }.origin(), Origin::Person);
        assert_eq!(Who { login: ENGINE.into(), ..old }.origin(), Origin::Engine);
        let other_login = Who::of_person(1000, "li", Some("10.0.0.1".into()));
        assert_eq!(claims.same_person(&other_login), Some(true), "one user id is one person");
        assert_eq!(claims.same_person(&Who::of_person(1001, SCHEDULE, None)), Some(false));
        let known = |uid, person| Who { person: Some(person), ..Who::of_person(uid, "x", None) };
        assert_eq!(known(1, 7).same_person(&known(2, 7)), Some(true));
        assert_eq!(known(1, 7).same_person(&known(1, 8)), Some(false));
        assert_eq!(known(1, 7).same_person(&Who::of_person(1, "x", None)), Some(true));
        assert_eq!(known(1, 7).same_person(&Who::of_person(7, "x", None)), Some(false));
    }

    #[test]
    fn the_clock_and_the_program_are_named_in_the_language_of_the_reader() {
        let named = Who { name: Some("wang".into()), ..Who::of_person(7, "li", Some("10.0.0.1".into())) };
        for (who, en, zh) in [
            (Who::schedule(7), "schedule", "定时"),
            (Who::engine(7), "skydeck", "程序"),
            (Who::of_person(7, "li", None), "li", "li"),
            (named, "wang (says li)@10.0.0.1", "wang（自称 li）@10.0.0.1"),
        ] {
            assert_eq!((who.said(Language::En).as_str(), who.said(Language::Zh).as_str()), (en, zh));
        }
    }

    #[test]
    fn what_we_write_says_what_gave_the_order() {
        let told = |who: Who| (who.uid, who.login.clone(), who.origin, who.is_schedule());
        assert_eq!(told(Who::of_person(7, "li", None)), (7, "li".to_owned(), Some(Origin::Person), false));
        assert_eq!(told(Who::schedule(7)), (7, SCHEDULE.to_owned(), Some(Origin::Schedule), true));
        assert_eq!(told(Who::engine(7)), (7, ENGINE.to_owned(), Some(Origin::Engine), false));
    }

    #[test]
    fn a_claimed_login_is_marked_beside_the_name_the_system_knows() {
        let who = |name: Option<&str>| Who {
            name: name.map(str::to_owned),
            ..Who::of_person(1, "li", Some("10.0.0.1".to_owned()))
        };
        assert_eq!(who(None).to_string(), "li@10.0.0.1");
        assert_eq!(who(Some("li")).to_string(), "li@10.0.0.1");
        assert_eq!(who(Some("wang")).to_string(), "wang (says li)@10.0.0.1");
    }
}
