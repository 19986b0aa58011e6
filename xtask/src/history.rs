//! `history`: a demo's directory with a made-up past, as large as a bench or a picture needs it.
//!
//! Invariant: the same room makes it that makes the past of `skydeck demo --history`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use skydeck::cli::demo::{DemoDir, account_set};
use skydeck::cli::demo_past::{self, Past};
use skydeck::cli::out::Out;
use skydeck::cli::output;
use skydeck::domain::language::Language;
use skydeck::exit::{Exit, Stop};

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Where; a directory in which there is nothing yet.
    pub dir: PathBuf,
    /// How many days back.
    #[arg(long, value_name = "N", default_value_t = 365)]
    pub days: u32,
    /// Plans, the two shipped ones among them.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(2..=80))]
    pub plans: u16,
    /// Of those that the clock starts, so many do not run any more.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub silent: usize,
    /// Of the others, so many find nothing any more.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub quiet: usize,
    /// The newest night went wrong: runs have ended by themselves.
    #[arg(long)]
    pub stuck: bool,
    /// About so many bills.
    #[arg(long, value_name = "N")]
    pub bills: Option<u64>,
    /// Equal seeds give equal facts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Writes it, and says what it cost.
pub async fn write(args: &HistoryArgs) -> Result<Exit, Stop> {
    let causes = skydeck::boot::causes(&skydeck::config::Config::default(), &PathBuf::new(), Language::En)?;
    let out = Out {
        json: false,
        lang: Language::En,
        views: std::path::PathBuf::new(),
        causes: std::sync::Arc::new(causes),
        beside: false,
    };
    let place = DemoDir::prepare(&out, Some(&args.dir), false)?;
    let HistoryArgs { days, plans, silent, quiet, stuck, bills, seed, .. } = *args;
    let past = Past { days, plans: usize::from(plans) - 2, silent, quiet, stuck, bills, seed };
    let since = Instant::now();
    let env = account_set("demo");
    let written = demo_past::write(
        Some(past),
        (&place.data(), &place.plans(), &place.bills()),
        &env,
        Language::En,
        &output::note,
    )
    .await?;
    place.ended(0)?;
    let took = since.elapsed().as_secs_f64();
    output::note(&format!(
        "{} facts of {} runs and {} bills in {took:.1} s ({:.0} facts/s); {} bills are unresolved",
        written.facts,
        written.runs,
        written.bills,
        written.facts as f64 / took.max(1e-9),
        written.unresolved
    ));
    Ok(Exit::Ok)
}
