//! What the generator of the third made-up world counts of itself, without a forecaster (rule 30 of `docs/design/third-world.md`).

use super::demand::Kind;
use super::trade::{Own, Trade};
use super::{quantile, sorted};

fn row(name: &str, all: &[Own], months: f64) {
    let volumes = sorted(all.iter().map(|own| own.volume));
    let sum = |of: &dyn Fn(&Own) -> usize| all.iter().map(of).sum::<usize>() as f64;
    let share = |of: &dyn Fn(&Own) -> usize, by: &dyn Fn(&Own) -> usize| sum(of) / sum(by).max(1.0);
    println!(
        "| {name} | {} | {:.0}, {:.0}, {:.0} | {} | {:.3} | {:.3} | {:.4} | {:.2} | {:.3} |",
        all.len(),
        quantile(&volumes, 0.5),
        quantile(&volumes, 0.0),
        quantile(&volumes, 1.0),
        sum(&|own| own.runs),
        share(&|own| own.empty, &|own| own.runs),
        share(&|own| own.first_empty, &|own| own.first),
        share(&|own| own.days_empty, &|own| own.days),
        sum(&|own| own.disturbed) / (months * all.len() as f64),
        share(&|own| own.failed as usize, &|own| own.found as usize)
    );
}

/// How many of some plans have as few empty first runs and as few empty working days by nature as these shares.
fn rare(name: &str, all: &[Own]) {
    let few = |of: usize, by: usize, most: f64| of as f64 <= most * by as f64;
    let first = |most: f64| all.iter().filter(|own| few(own.first_empty, own.first, most)).count();
    let day = |most: f64| all.iter().filter(|own| few(own.days_empty, own.days, most)).count();
    println!("| {name} | {} | {} | {} | {} | {} |", all.len(), first(0.02), first(0.1), day(0.0), day(0.02));
}

/// Prints the counts of plans that were played for so many months each.
pub fn print(plans: &[Trade], months: f64) {
    let all: Vec<Own> = plans.iter().map(|trade| trade.own).collect();
    let of =
        |kind: Kind| -> Vec<Own> { plans.iter().filter(|trade| trade.kind == kind).map(|trade| trade.own).collect() };
    let large: Vec<Own> = all.iter().copied().filter(|own| own.volume >= 150.0).collect();
    println!(
        "| kind | plans | bills a day: median, from, to | runs | empty | first runs empty | working days empty | disturbed a plan and 30 days | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        row(kind.word(), &of(kind), months);
    }
    row("all", &all, months);
    row("≥ 150 bills a day", &large, months);
    println!(
        "\n| kind | plans | first run empty on at most 2 % of working days | 10 % | no working day empty | at most 2 % |"
    );
    println!("|---|---|---|---|---|---|");
    for kind in Kind::ALL {
        rare(kind.word(), &of(kind));
    }
    rare("all", &all);
    rare("≥ 150 bills a day", &large);
}

/// When a run started, and when its bills were settled or until when they were put off.
pub type Played = (i64, Vec<(i64, Option<i64>)>);

/// A run as it stands when some of its bills are settled.
struct Stands {
    /// Milliseconds to its end.
    left: f64,
    /// What one says who knows how fast bills were settled so far, and when those that are put off are due.
    said: f64,
}

/// A run when this share of its bills is settled.
fn stands(at: i64, run: &[(i64, Option<i64>)], share: f64) -> Stands {
    let bills = run.iter().filter(|(_, until)| until.is_none()).count();
    let wanted = (share * bills as f64).ceil().max(1.0) as usize;
    let (mut settled, mut due) = (0, Vec::new());
    for (now, until) in run {
        due.retain(|until| until > now);
        due.extend(until);
        settled += usize::from(until.is_none());
        if settled == wanted {
            let waiting = (bills - settled).saturating_sub(due.len());
            let rate = (now - at) as f64 / settled as f64;
            let last = due.iter().max().map_or(0, |until| until - now);
            let left = run.last().map_or(0, |(end, _)| end - now) as f64;
            return Stands { left, said: f64::max(waiting as f64 * rate, last as f64) };
        }
    }
    unreachable!("a share of the bills is settled");
}

/// Prints how well a run's end can be known: by one who knows a plan's usual time left, afterwards, and by one who knows what is due.
pub fn ends(plans: &[Vec<Played>]) {
    println!(
        "\n| at progress | minutes left: median, 90 % | off, the plan's median known afterwards: median | off, knowing what is due: median |"
    );
    println!("|---|---|---|---|");
    for share in [0.2, 0.5, 0.8] {
        let (mut left, mut usual, mut due) = (Vec::new(), Vec::new(), Vec::new());
        for plan in plans {
            let all: Vec<Stands> = plan.iter().map(|(at, run)| stands(*at, run, share)).collect();
            let median = quantile(&sorted(all.iter().map(|one| one.left)), 0.5);
            let off = |said: f64, one: &Stands| (said - one.left).abs() / one.left.max(1.0);
            left.extend(all.iter().map(|one| one.left / 60_000.0));
            usual.extend(all.iter().map(|one| off(median, one)));
            due.extend(all.iter().map(|one| off(one.said, one)));
        }
        let (left, usual, due) = (sorted(left.into_iter()), sorted(usual.into_iter()), sorted(due.into_iter()));
        println!(
            "| {:.0} % | {:.1}, {:.1} | {:.3} | {:.3} |",
            share * 100.0,
            quantile(&left, 0.5),
            quantile(&left, 0.9),
            quantile(&usual, 0.5),
            quantile(&due, 0.5)
        );
    }
}
