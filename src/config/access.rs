//! `[access]`: who beside the owner may attach, and as what.
//!
//! Invariant: names are resolved when the owner starts; one that does not exist is an error, never silently nobody.

use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde::Deserialize;

use super::said::Said;
use crate::domain::access::{Access, Role};

/// `[access]` as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// A second socket, outside the data directory, that the group may open.
    pub socket: Option<PathBuf>,
    /// That group.
    pub group: Option<String>,
    /// May look.
    #[serde(default)]
    pub viewer: Vec<Principal>,
    /// May work, but not approve or unlock in production.
    #[serde(default)]
    pub operator: Vec<Principal>,
    /// May approve and unlock in production too.
    #[serde(default)]
    pub approver: Vec<Principal>,
}

/// A user by name or id, or `@group`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Principal {
    /// User id.
    Uid(u32),
    /// User name, or group name behind `@`.
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    User(Uid),
    Group(Gid),
}

/// The configuration with names resolved. The owner answers for everything.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    named: Vec<(Whom, Role)>,
    /// Where others attach, and the group that may.
    pub door: Option<(PathBuf, u32)>,
    /// Nobody orders anything, the owner neither.
    looking: bool,
}

impl Rules {
    /// For a copy that is only looked at.
    pub fn looking() -> Self {
        Self { looking: true, ..Self::default() }
    }
}

impl AccessConfig {
    /// Whether anybody beside the owner may approve.
    pub fn has_approvers(&self) -> bool {
        !self.approver.is_empty()
    }

    /// Resolves every name.
    ///
    /// # Errors
    /// A user or group that is not known here; a socket without a group, or the other way round.
    pub fn rules(&self) -> Result<Rules, Said> {
        let mut named = Vec::new();
        for (role, who) in
            [(Role::Viewer, &self.viewer), (Role::Operator, &self.operator), (Role::Approver, &self.approver)]
        {
            for principal in who {
                named.push((principal.resolve().map_err(|said| within(&role.to_string(), &said))?, role));
            }
        }
        let door = match (&self.socket, &self.group) {
            (None, None) => None,
            (Some(socket), Some(group)) => {
                if !socket.is_absolute() {
                    return Err(Said::new(
                        "[access] socket: give an absolute path, e.g. /run/skydeck/owner.sock",
                        "[access] socket：请写绝对路径，如 /run/skydeck/owner.sock",
                    ));
                }
                Some((socket.clone(), gid_of(group).map_err(|said| within("group", &said))?.as_raw()))
            }
            _ => {
                return Err(Said::new(
                    "[access] needs both socket and group, or neither",
                    "[access] 的 socket 和 group 须同时写，或都不写",
                ));
            }
        };
        Ok(Rules { named, door, looking: false })
    }
}

/// A fault with the key of `[access]` that it stands under.
fn within(key: &str, said: &Said) -> Said {
    Said::new(format!("[access] {key}: {}", said.en), format!("[access] {key}：{}", said.zh))
}

fn gid_of(name: &str) -> Result<Gid, Said> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => {
            Err(Said::new(format!("there is no group `{name}` on this machine"), format!("本机没有用户组 `{name}`")))
        }
        Err(e) => Err(Said::new(
            format!("group `{name}` cannot be looked up: {e}"),
            format!("无法查询用户组 `{name}`：“{e}”"),
        )),
    }
}

impl Principal {
    fn resolve(&self) -> Result<Whom, Said> {
        match self {
            Self::Uid(uid) => Ok(Whom::User(Uid::from_raw(*uid))),
            Self::Name(name) => match name.strip_prefix('@') {
                Some(group) => gid_of(group).map(Whom::Group),
                None => match User::from_name(name) {
                    Ok(Some(user)) => Ok(Whom::User(user.uid)),
                    Ok(None) => Err(Said::new(
                        format!("there is no user `{name}` on this machine (a group is written `@{name}`)"),
                        format!("本机没有用户 `{name}`（用户组写作 `@{name}`）"),
                    )),
                    Err(e) => Err(Said::new(
                        format!("user `{name}` cannot be looked up: {e}"),
                        format!("无法查询用户 `{name}`：“{e}”"),
                    )),
                },
            },
        }
    }
}

/// The groups of a user, by the machine's own user base: what the peer's process claims is not asked.
fn groups(uid: Uid) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(uid) else { return Vec::new() };
    let Ok(name) = std::ffi::CString::new(user.name) else { return Vec::new() };
    getgrouplist(&name, user.gid).unwrap_or_default()
}

impl Access for Rules {
    fn role(&self, uid: u32) -> Option<Role> {
        let uid = Uid::from_raw(uid);
        if uid == Uid::effective() {
            return Some(if self.looking { Role::Viewer } else { Role::Approver });
        }
        let groups =
            if self.named.iter().any(|(whom, _)| matches!(whom, Whom::Group(_))) { groups(uid) } else { vec![] };
        let is = |whom: &Whom| match whom {
            Whom::User(user) => *user == uid,
            Whom::Group(group) => groups.contains(group),
        };
        self.named.iter().filter(|(whom, _)| is(whom)).map(|(_, role)| *role).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_answers_for_all_and_others_have_the_highest_role_they_are_named_for() {
        let me = Uid::effective().as_raw();
        let config: AccessConfig =
            toml::from_str("viewer = [70001, 70002]\noperator = [70002]\napprover = [70003]").unwrap();
        let rules = config.rules().unwrap();
        for (uid, role) in [
            (me, Some(Role::Approver)),
            (70001, Some(Role::Viewer)),
            (70002, Some(Role::Operator)),
            (70003, Some(Role::Approver)),
            (70004, None),
        ] {
            assert_eq!(rules.role(uid), role, "{uid}");
        }
        assert_eq!(Rules::default().role(70001), None);
    }

    #[test]
    fn who_only_looks_at_a_copy_orders_nothing_and_approvers_are_known() {
        assert_eq!(Rules::looking().role(Uid::effective().as_raw()), Some(Role::Viewer));
        for (text, has) in [("", false), ("viewer = [70001]\noperator = [70002]", false), ("approver = [70003]", true)]
        {
            let config: AccessConfig = toml::from_str(text).unwrap();
            assert_eq!(config.has_approvers(), has, "{text}");
        }
    }

    #[test]
    fn a_group_is_asked_of_the_machine() {
        let daemon = User::from_name("daemon").unwrap().unwrap();
        for text in ["viewer = [\"@daemon\"]", "viewer = [\"@daemon\", 70002]"] {
            let config: AccessConfig = toml::from_str(text).unwrap();
            let rules = config.rules().unwrap();
            assert_eq!(rules.role(daemon.uid.as_raw()), Some(Role::Viewer), "{text}");
            assert_eq!(rules.role(70002).is_some(), text.contains("70002"));
            assert_eq!(rules.role(70001), None);
        }
        let door = "socket = \"/run/skydeck/owner.sock\"\ngroup = \"daemon\"";
        let config: AccessConfig = toml::from_str(door).unwrap();
        let expected = (PathBuf::from("/run/skydeck/owner.sock"), daemon.gid.as_raw());
        assert_eq!(config.rules().unwrap().door, Some(expected));
    }

    #[test]
    fn what_does_not_exist_is_said() {
        for (text, words) in [
            ("viewer = [\"no-such-user-here\"]", "[access] viewer: there is no user `no-such-user-here`"),
            ("operator = [\"@no-such-group-here\"]", "[access] operator: there is no group `no-such-group-here`"),
            ("socket = \"/run/x.sock\"", "both socket and group"),
            ("socket = \"x.sock\"\ngroup = \"daemon\"", "absolute"),
        ] {
            let config: AccessConfig = toml::from_str(text).unwrap();
            let error = config.rules().unwrap_err();
            assert!(error.en.contains(words), "{error:?}");
            assert!(error.zh.contains('：') || error.zh.contains('，'), "{error:?}");
        }
    }
}
