//! The store in a database that the configuration names: whether this host gets in, and what is wrong with it.

use super::{Check, Out};
use crate::boot::{self, Paths};
use crate::config::Config;
use crate::exit::Stop;
use crate::postgres::check::{Finding, Grade, check};
use crate::secret::Known;

/// Facts of the chain that are read: this is a look at the host, not at the whole past.
const NEWEST: u64 = 1000;

/// What is found; nothing where facts stand in the data directory.
pub async fn checks(out: &Out, config: &Config, paths: &Paths) -> Option<Check> {
    let next = "skydeck store check";
    match look(config, paths).await.transpose()? {
        Ok(found) => Some(judged(out, &found, next)),
        Err(stop) => Some(Check::bars("store", stop.spoken(out.lang).message, next)),
    }
}

async fn look(config: &Config, paths: &Paths) -> Result<Option<Vec<Finding>>, Stop> {
    let Some(database) = boot::database(config, &paths.config_dir(), &Known::default())? else { return Ok(None) };
    let settings = database.settings().clone();
    let looked = tokio::task::spawn_blocking(move || check(&settings, Some(NEWEST))).await;
    Ok(looked.ok())
}

/// The worst of what was found, in one line.
fn judged(out: &Out, found: &[Finding], next: &str) -> Check {
    let worst = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Good);
    let of_grade = found.iter().filter(|finding| finding.grade == worst);
    let words: Vec<&str> = of_grade.map(|finding| out.t(&finding.en, &finding.zh)).collect();
    let words = crate::text::show(&words.join(out.t("; ", "；")), 1000).into_string();
    match worst {
        Grade::Good => Check::good("store", words),
        Grade::Look => Check::lacks("store", words, next),
        Grade::Unusable | Grade::Damaged => Check::bars("store", words, next),
    }
}
