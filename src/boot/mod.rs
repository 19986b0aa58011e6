//! Composition root: the only file that sees all layers. Paths, clock, store, clients, plans → an engine behind a link.
//!
//! Invariant: nothing is created or changed outside the data directory, and nothing at all before the owner lock is held.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use secrecy::SecretString;

use crate::config::{Config, ConfigError, EnvironmentConfig, Said, SecretSource, SignInKind};
use crate::domain::cause::{BUILT_IN, CauseTable};
use crate::domain::language::Language;
use crate::domain::time::{Clock, Ts};
use crate::domain::zone::Zone;
use crate::engine::Calendar;
use crate::engine::ports::Erp;
use crate::erp::KingdeeErp;
use crate::erp::config::{ClientCertificate, ClientConfig, Proxy, Reach, SignIn};
use crate::erp::files::{self, Unread};
use crate::erp::refusals::Refusals;
use crate::exit::{Exit, Stop};
use crate::http::HttpErp;
use crate::http::auth::Auth;
use crate::http::config::HttpConfig;
use crate::secret::{self, Known, Of, SecretError};

mod alerts;
mod database;
mod engine;
mod log;
mod offline;
mod opening;
pub mod owner;
pub mod plan_files;
mod stops;
mod tellers;
mod who;

pub use alerts::alerts;
#[cfg(not(feature = "postgres"))]
pub use database::without_database;
#[cfg(not(feature = "postgres"))]
pub use database::without_database;
pub use database::{Database, database};
pub use engine::{Booted, Home, SOCKET, Setup, home_of};
pub use log::Logging;
pub use offline::Offline;
pub use opening::told;
pub use plan_files::{PlanFiles, plan_id, read_plan};
pub use stops::{has_random_numbers, secret_stop, store_stop};
pub use who::who;

/// Plans shipped inside the program, for the demo and as examples: (name, JSON).
pub const SHIPPED: &[(&str, &str)] = &[
    ("sal_outstock_audit", include_str!("../../plans/sal_outstock_audit.json")),
    ("stk_instock_submit_audit", include_str!("../../plans/stk_instock_submit_audit.json")),
];

/// Plans shipped beside them, each for `demo --plan NAME`: what they call must be allowed by name.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("sal_outstock_to_instock", include_str!("../../plans/sal_outstock_to_instock.json")),
    ("sal_outstock_to_instock_mapped", include_str!("../../plans/sal_outstock_to_instock_mapped.json")),
    ("sal_outstock_to_receivable", include_str!("../../plans/sal_outstock_to_receivable.json")),
    ("sal_saleorder_close", include_str!("../../plans/sal_saleorder_close.json")),
    ("wms_to_instock", include_str!("../../plans/wms_to_instock.json")),
    ("outstock_to_order", include_str!("../../plans/outstock_to_order.json")),
    ("orders_to_saleorder", include_str!("../../plans/orders_to_saleorder.json")),
];

/// Records that a demo hands in for its plan: (plan, JSON one after the other).
pub const HANDED_IN: &[(&str, &str)] = &[("wms_to_instock", include_str!("../../plans/wms_to_instock.jsonl"))];

/// The mapping tables of these plans, by the place beside them.
pub const TABLES: &[(&str, &str)] = &[
    ("tables/suppliers.csv", include_str!("../../plans/tables/suppliers.csv")),
    ("tables/warehouses.csv", include_str!("../../plans/tables/warehouses.csv")),
];

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Configuration file; may not exist.
    pub config: PathBuf,
    /// Data directory.
    pub data: PathBuf,
}

impl Paths {
    /// From options, then XDG variables, then the home directory.
    pub fn find(config: Option<&Path>, data: Option<&Path>) -> Result<Self, Stop> {
        // Where this process works may change; what was named stays where it is.
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|e| Stop::system(Exit::Usage, path.display(), path.display(), &e))
        };
        Ok(Self {
            config: absolute(match config {
                Some(file) => file.to_path_buf(),
                None => base("XDG_CONFIG_HOME", ".config")?.join("skydeck/config.toml"),
            })?,
            data: absolute(match data {
                Some(dir) => dir.to_path_buf(),
                None => base("XDG_STATE_HOME", ".local/state")?.join("skydeck"),
            })?,
        })
    }

    /// Directory the configuration's relative paths start from.
    pub fn config_dir(&self) -> PathBuf {
        self.config.parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }
}

/// `$variable`, or `suffix` below the home directory.
pub fn base(variable: &str, suffix: &str) -> Result<PathBuf, Stop> {
    if let Some(dir) = std::env::var_os(variable).filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(|home| PathBuf::from(home).join(suffix)).ok_or_else(|| {
        let en = format!("neither {variable} nor HOME is set; give --config and --data");
        Stop::both(Exit::Usage, en, format!("{variable} 和 HOME 都未设置：请给出 --config 和 --data"))
    })
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// Which start of the machine this is.
    boot: Option<String>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now(), boot: boot_id() }
    }
}

/// The kernel's name for this start of the machine, with the time namespace, in which the clock counts from elsewhere.
fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    Some(format!("{} {}", id.trim(), space.display()).trim().to_owned()).filter(|id| !id.is_empty())
}

impl Clock for SystemClock {
    fn now(&self) -> Ts {
        Ts::of(SystemTime::now())
    }

    fn mono(&self) -> Duration {
        self.start.elapsed()
    }

    fn boot(&self) -> Option<(String, u64)> {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ms = u64::try_from(now.tv_sec)
            .ok()?
            .saturating_mul(1000)
            .saturating_add(u64::try_from(now.tv_nsec).ok()? / 1_000_000);
        Some((self.boot.clone()?, ms))
    }
}

/// Refuses a clock that shows a time before 1970: no record made by it could be told apart from garbage.
pub fn settable(clock: &dyn Clock, chinese: bool) -> Result<(), Stop> {
    let now = clock.now();
    if now.0 >= 0 {
        return Ok(());
    }
    let shows = chrono::DateTime::from_timestamp_millis(now.0).map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    let shows = shows.unwrap_or_else(|| format!("{} s", now.0 / 1000));
    Err(Stop::usage(if chinese {
        format!("本机时钟为 {shows}，早于 1970 年：请先校时（例如 `timedatectl set-ntp true`），再启动；什么都没有读写")
    } else {
        format!(
            "the machine's clock shows {shows}, before 1970: set it first (`timedatectl set-ntp true`), then start again; \
             nothing was read or written"
        )
    }))
}

/// Reads the configuration; a missing file is an empty configuration only when it was not named.
pub fn config(paths: &Paths, named: bool, lang: Language) -> Result<Config, Stop> {
    let zh = lang == Language::Zh;
    match files::read_text(&paths.config, files::LARGEST) {
        Ok(text) => Config::parse(&paths.config, &text)
            .map_err(|e: ConfigError| Stop::usage(if zh { e.in_chinese() } else { e.to_string() })),
        Err(unread) if unread.is_absent() && !named => Ok(Config::default()),
        Err(unread) => Err(Stop::usage(unreadable(&paths.config, &unread, lang))),
    }
}

/// That a file cannot be read.
fn unreadable(file: &Path, unread: &Unread, lang: Language) -> String {
    let (en, zh) = unread.words();
    // Owner and mode may permit it all the same.
    let denied = matches!(unread, Unread::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied);
    let hint = |words: &'static str| if denied { words } else { "" };
    match lang {
        Language::En => {
            format!("{}: {en}{}", file.display(), hint("; `skydeck self check` tells what denies it"))
        }
        Language::Zh => format!("{}：{zh}{}", file.display(), hint("；原因见 `skydeck self check`")),
    }
}

/// Those of the paths, and of the plans in a directory among them, that another user than this one and root can change.
pub fn writable_by_others(paths: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    let is_loose = |path: &Path| {
        let meta = std::fs::metadata(path);
        meta.is_ok_and(|meta| meta.mode() & 0o022 != 0 || (meta.uid() != me && meta.uid() != 0))
    };
    let mut found = Vec::new();
    for path in paths {
        let plans = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
        let plans: Vec<PathBuf> = plans.filter(|file| file.extension().is_some_and(|e| e == "json")).collect();
        found.extend(std::iter::once(path).chain(plans).filter(|path| is_loose(path)));
    }
    found
}

/// The cause table with the operator's file on top.
pub fn causes(config: &Config, base: &Path, lang: Language) -> Result<CauseTable, Stop> {
    let built_in: CauseTable =
        toml::from_str(BUILT_IN).map_err(|e| Stop::usage(format!("built-in causes: {}", e.message())))?;
    let Some(file) = config.causes.as_ref().map(|file| base.join(file)) else { return Ok(built_in) };
    let text =
        files::read_text(&file, files::LARGEST).map_err(|unread| Stop::usage(unreadable(&file, &unread, lang)))?;
    let theirs: CauseTable = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
        let said = Said::of_parser(e.message());
        Stop::usage(match lang {
            Language::En => format!("{}:{line}: {}", file.display(), e.message()),
            Language::Zh => format!("{} 第 {line} 行：{}", file.display(), said.zh),
        })
    })?;
    Ok(built_in.overridden_by(theirs))
}

/// The calendar of the office: the one that comes with the program, with the operator's on top.
pub fn calendar(config: &Config, base: &Path, lang: Language) -> Result<Calendar, Stop> {
    let built_in = Calendar::china().clone();
    let Some(file) = config.forecast.calendar.as_ref().map(|file| base.join(file)) else { return Ok(built_in) };
    let text =
        files::read_text(&file, files::LARGEST).map_err(|unread| Stop::usage(unreadable(&file, &unread, lang)))?;
    let theirs = Calendar::parse(&text).map_err(|error| {
        let said = match lang {
            Language::En => error.to_string(),
            Language::Zh => error.zh(),
        };
        Stop::usage(format!("{}{}{said}", file.display(), lang.t(": ", "：")))
    })?;
    Ok(built_in.overridden_by(theirs))
}

/// A client for one environment. `refusals`: what the clients of this process know of refused users.
pub fn client(
    config: &EnvironmentConfig,
    base: &Path,
    causes: &Arc<CauseTable>,
    clock: &Arc<dyn Clock>,
    known: &Known,
    refusals: &Arc<Refusals>,
) -> Result<Arc<dyn Erp>, Stop> {
    let of = Of::Environment(config.environment.id.to_string(), None);
    let secret = config.secret.as_ref().map(|source| secret::fetch(&of, source, base)).transpose();
    let secret = secret.map_err(secret_stop)?;
    if let Some(auth) = &config.http {
        return http_client(config, auth, secret, base, (causes, clock), known);
    }
    let secret = secret.ok_or_else(|| Stop::both(Exit::Usage, "missing field `secret`", "缺少 `secret`"))?;
    client_with(config, secret, base, causes, clock, known, refusals)
}

/// A client of a system that is none of Kingdee's.
fn http_client(
    config: &EnvironmentConfig,
    auth: &Auth,
    secret: Option<SecretString>,
    base: &Path,
    (causes, clock): (&Arc<CauseTable>, &Arc<dyn Clock>),
    known: &Known,
) -> Result<Arc<dyn Erp>, Stop> {
    let env = config.environment.id.clone();
    if let Some(secret) = &secret {
        known.add(secret);
    }
    let reach = reach(config, base, known)?;
    let part = |source: &SecretSource| part_of_secret(config, "access_token", source, base, known);
    let token = config.connection.access_token.as_ref().map(part).transpose()?;
    let settings = HttpConfig { env: env.clone(), reach, auth: auth.clone(), secret, token, max_body: MAX_BODY };
    let erp = HttpErp::new(settings, causes.clone(), clock.clone())
        .map_err(|e| Stop::both(Exit::Usage, format!("environment {env}: {e}"), format!("环境 {env}：{}", e.zh())))?;
    Ok(Arc::new(erp))
}

/// Most bytes read from an answer of a system that is none of Kingdee's.
const MAX_BODY: usize = 16 << 20;

/// The same with a secret that is at hand.
pub fn client_with(
    config: &EnvironmentConfig,
    secret: SecretString,
    base: &Path,
    causes: &Arc<CauseTable>,
    clock: &Arc<dyn Clock>,
    known: &Known,
    refusals: &Arc<Refusals>,
) -> Result<Arc<dyn Erp>, Stop> {
    let env = config.environment.id.as_str();
    known.add(&secret);
    let app_id = config.app_id.clone().unwrap_or_default();
    let sign_in = match config.sign_in {
        SignInKind::Signed => SignIn::Signed { app_id, app_secret: secret },
        SignInKind::AppSecret => SignIn::AppSecret { app_id, app_secret: secret },
        SignInKind::AppSign => SignIn::AppSign { app_id, app_secret: secret },
        SignInKind::Password => SignIn::Password { password: secret },
    };
    let mut client = ClientConfig::new(
        config.environment.id.clone(),
        &config.url,
        &config.environment.account_set,
        &config.environment.user,
        sign_in,
    );
    let connection = &config.connection;
    client.reach = reach(config, base, known)?;
    client.lcid = connection.lcid;
    client.org.clone_from(&connection.org);
    let part = |source: &SecretSource| part_of_secret(config, "second_password", source, base, known);
    client.second_password = connection.second_password.as_ref().map(part).transpose()?;
    let erp = KingdeeErp::new(client, causes.clone(), clock.clone())
        .map_err(|e| Stop::both(Exit::Usage, format!("environment {env}: {e}"), format!("环境 {env}：{}", e.zh())))?;
    Ok(Arc::new(erp.sharing(refusals)))
}

/// A secret beside the one that signs in, from where the configuration says.
fn part_of_secret(
    config: &EnvironmentConfig,
    part: &'static str,
    source: &SecretSource,
    base: &Path,
    known: &Known,
) -> Result<SecretString, Stop> {
    let of = Of::Environment(config.environment.id.to_string(), Some(part));
    kept(secret::fetch(&of, source, base), known)
}

/// A secret that was fetched is kept out of all that is written.
fn kept(secret: Result<SecretString, SecretError>, known: &Known) -> Result<SecretString, Stop> {
    let secret = secret.map_err(secret_stop)?;
    known.add(&secret);
    Ok(secret)
}

/// How the server is reached, with the secrets that takes.
fn reach(config: &EnvironmentConfig, base: &Path, known: &Known) -> Result<Reach, Stop> {
    let connection = &config.connection;
    let mut reach = Reach::new(&config.url);
    reach.timeout = config.environment.limits.call_timeout;
    let usual = reach.connect_timeout.min(reach.timeout / 2);
    reach.connect_timeout = connection.connect_timeout.unwrap_or(usual);
    reach.allow_plain_http = connection.allow_plain_http;
    reach.ca_file = connection.ca_file.as_ref().map(|file| base.join(file));
    reach.pinned_certificate = connection.pinned_certificate.as_ref().map(|file| base.join(file));
    if let Some((file, source)) = &connection.client_certificate {
        let of = Of::Environment(config.environment.id.to_string(), Some("client_key"));
        let key = kept(secret::fetch_key(&of, source, base), known)?;
        reach.client_certificate = Some(ClientCertificate { file: base.join(file), key });
    }
    if let Some(proxy) = &connection.proxy {
        let login = match &proxy.login {
            Some((user, source)) => Some((user.clone(), part_of_secret(config, "proxy_secret", source, base, known)?)),
            None => None,
        };
        reach.proxy = Some(Proxy { url: proxy.url.clone(), login });
    }
    Ok(reach)
}

/// The time zone by name: that of `TZ`, as for every time that is shown, else the machine's; UTC where there is none.
pub fn zone() -> Zone {
    zone_named(std::env::var("TZ").ok().as_deref()).unwrap_or_else(machine_zone)
}

/// What `TZ` holds, where that is set and names no zone; and the zone that days are counted in then.
pub fn odd_zone() -> Option<(String, Zone)> {
    let set = std::env::var_os("TZ").filter(|set| !set.is_empty())?;
    let set = set.to_string_lossy().into_owned();
    zone_named(Some(&set)).is_none().then(|| (set, machine_zone()))
}

fn machine_zone() -> Zone {
    iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or_else(Zone::utc)
}

/// The zone that a value of `TZ` names; a colon and the directory of the system's own names may stand before it.
fn zone_named(value: Option<&str>) -> Option<Zone> {
    let name = value?.trim().trim_start_matches(':');
    name.rsplit_once("/zoneinfo/").map_or(name, |(_, name)| name).parse().ok()
}

/// Language of people's text: the option, the configuration, the locale.
pub fn language(option: Option<Language>, configured: Option<&str>) -> Language {
    let named = |name: &str| if name.to_lowercase().starts_with("zh") { Language::Zh } else { Language::En };
    option.unwrap_or_else(|| {
        let locale =
            ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|l| !l.is_empty()));
        configured.map(named).or_else(|| locale.as_deref().map(named)).unwrap_or(Language::En)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Ts {
            Ts(self.0)
        }
        fn mono(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn a_zone_is_the_one_that_tz_names_in_every_way_of_naming_it() {
        for (value, name) in [
            ("Asia/Shanghai", Some("Asia/Shanghai")),
            (":Asia/Kathmandu", Some("Asia/Kathmandu")),
            ("/usr/share/zoneinfo/America/New_York", Some("America/New_York")),
            ("UTC", Some("UTC")),
            ("CST-8", None),
            ("Nope/Nope", None),
            ("", None),
        ] {
            assert_eq!(zone_named(Some(value)).map(|zone| zone.name()), name, "{value}");
        }
        assert!(zone_named(None).is_none());
    }

    #[test]
    fn a_clock_before_1970_is_an_error_that_says_what_to_do() {
        for (ms, shows) in [(-1_000, "1969-12-31 23:59:59 UTC"), (-2_208_988_800_000, "1900-01-01 00:00:00 UTC")] {
            for chinese in [false, true] {
                let stop = settable(&At(ms), chinese).unwrap_err();
                assert_eq!(stop.exit.code(), 2);
                assert!(stop.message.contains(shows) && stop.message.contains("timedatectl"), "{}", stop.message);
            }
        }
        assert!(settable(&At(i64::MIN), false).is_err());
        assert!(settable(&At(0), false).is_ok());
    }
}
