//! How many bills a run finds: a level, times what is usual at this hour, on this day of the week, on this kind of day.
//!
//! Invariants: an expectation is made before the count is seen, and learning takes it away; what is learned is cut at what was
//! expected to be rare, so that one strange run does not teach.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use skydeck_core::domain::time::Ts;
use skydeck_core::domain::zone::Zone;

use crate::calendar::{CELLS, Calendar, HOLIDAY, WEEKEND, WORKING};
use crate::spans::{Piece, pieces};
use crate::spread::Spread;

/// What came, and what would have come by everything else: their quotient is a factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell(pub f64, pub f64);

impl Cell {
    fn factor(self) -> f64 {
        self.0 / self.1
    }

    fn fade(&mut self, by: f64) {
        self.0 *= by;
        self.1 *= by;
    }
}

/// Days after which half of what was learned is forgotten.
const LEVEL_HALF: f64 = 14.0;
const HOUR_HALF: f64 = 60.0;
const WEEK_HALF: f64 = 70.0;
const KIND_HALF: f64 = 400.0;
const SPREAD_HALF: f64 = 60.0;
/// Days of evidence that a factor has before anything was seen.
const DOUBT: f64 = 0.6;
/// The dispersion before anything was seen, and its weight.
const FIRST_PHI: (f64, f64) = (0.10, 400.0);
/// Of a thousand runs so many are cut on either side before they are learned.
const CUT: f64 = 0.01;
/// A level that did not hold is forgotten down to this part.
const ADOPT: f64 = 0.08;

/// What is learned of a plan's volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Bills, and hours of ordinary work.
    level: Cell,
    hours: Vec<Cell>,
    week: Vec<Cell>,
    kinds: Vec<Cell>,
    /// Days on which each kind was seen, in time.
    seen: Vec<f64>,
    phi: Cell,
    /// The last day that was learned from, and its kind.
    day: Option<NaiveDate>,
    kind: usize,
    /// Days, and runs.
    pub(crate) days: u32,
    pub(crate) runs: u32,
}

impl Default for Volume {
    fn default() -> Self {
        let one = Cell(DOUBT, DOUBT);
        let mut kinds = vec![one; CELLS];
        for (at, factor) in [(WEEKEND, 0.4), (HOLIDAY, 0.15)] {
            if let Some(cell) = kinds.get_mut(at) {
                *cell = Cell(DOUBT * factor, DOUBT);
            }
        }
        let hour = Cell(DOUBT / 24.0, DOUBT / 24.0);
        Self {
            level: Cell(0.0, 0.0),
            hours: vec![hour; 48],
            week: vec![one; 7],
            kinds,
            seen: vec![0.0; CELLS],
            phi: Cell(FIRST_PHI.0 * FIRST_PHI.1, FIRST_PHI.1),
            day: None,
            kind: WORKING,
            days: 0,
            runs: 0,
        }
    }
}

/// What one run is expected to find. Made from what was known before it, and used up by learning from it.
#[derive(Debug)]
pub struct Expected {
    spread: Spread,
    /// Pieces with the bills expected in each.
    parts: Vec<(Piece, f64)>,
    /// Hours of ordinary work that they are worth.
    exposure: f64,
    day: NaiveDate,
}

impl Expected {
    /// How the count is expected to spread.
    pub fn spread(&self) -> &Spread {
        &self.spread
    }
}

fn get(cells: &[Cell], at: usize) -> f64 {
    cells.get(at).map_or(1.0, |cell| cell.factor())
}

impl Volume {
    fn factor(&self, piece: &Piece) -> f64 {
        let kind = if piece.kind == WORKING { 1.0 } else { get(&self.kinds, piece.kind) };
        let week = piece.weekday.map_or(1.0, |at| get(&self.week, at));
        get(&self.hours, piece.hour) * week * kind
    }

    /// What a query is expected to find that looks back over a stretch of time.
    pub fn expect(&self, calendar: &Calendar, zone: &Zone, from: Ts, to: Ts) -> Expected {
        let level = if self.level.1 > 0.0 { self.level.factor() } else { 0.0 };
        let pieces = pieces(calendar, zone, from, to);
        let of = |piece: &Piece| piece.part * self.factor(piece);
        let exposure: f64 = pieces.iter().map(of).sum();
        let parts: Vec<(Piece, f64)> = pieces.into_iter().map(|piece| (piece, of(&piece) * level)).collect();
        let mean: f64 = exposure * level;
        // What was seldom seen is not known well: the level in the first days, a month end before there were some.
        let doubt = |days: f64| 0.5 / (1.0 + days).powi(2);
        let unsure: f64 = if mean > 0.0 {
            parts
                .iter()
                .map(|(piece, bills)| bills / mean * doubt(self.seen.get(piece.kind).copied().unwrap_or(0.0)))
                .sum()
        } else {
            0.0
        };
        let phi = self.phi.factor() + unsure + doubt(f64::from(self.days));
        let (day, _) = crate::spans::local(zone, Ts(to.0 - 1));
        Expected { spread: Spread::new(mean, phi), parts, exposure, day }
    }

    /// Learns what a run found of which this was expected.
    pub fn learn(&mut self, expected: Expected, found: u64) {
        let Expected { spread, parts, exposure, day } = expected;
        self.turn(day);
        self.runs = self.runs.saturating_add(1);
        if exposure <= 0.0 {
            return;
        }
        let is_new = self.level.1 <= 0.0;
        // Before a few days are over the range is as good as none.
        let cut =
            if self.days < 5 || is_new { found } else { found.clamp(spread.quantile(CUT), spread.quantile(1.0 - CUT)) };
        let (bills, mean) = (cut as f64, spread.mean());
        self.level.0 += bills;
        self.level.1 += exposure;
        if is_new {
            return;
        }
        let weight = (mean / (1.0 + 0.1 * mean)).powi(2);
        self.phi.0 += weight * ((bills - mean).powi(2) - mean) / mean.powi(2);
        self.phi.1 += weight;
        self.phi.0 = self.phi.0.max(2e-3 * self.phi.1);
        let a_day = 24.0 * self.level.factor();
        if a_day <= 0.0 || mean <= 0.0 {
            return;
        }
        self.kind = parts.last().map_or(WORKING, |(piece, _)| piece.kind);
        for (piece, due) in parts {
            let came = due / mean * bills / a_day;
            let due = due / a_day;
            add(&mut self.hours, piece.hour, came, due);
            if let Some(at) = piece.weekday {
                add(&mut self.week, at, came, due);
            }
            if piece.kind != WORKING {
                add(&mut self.kinds, piece.kind, came, due);
            }
        }
    }

    /// A new day: what is old counts less.
    fn turn(&mut self, day: NaiveDate) {
        let Some(last) = self.day.replace(day) else { return };
        let past = (day - last).num_days();
        if past <= 0 {
            self.day = Some(last);
            return;
        }
        self.days = self.days.saturating_add(1);
        if let Some(seen) = self.seen.get_mut(self.kind) {
            *seen += 1.0;
        }
        let by = |half: f64| 0.5_f64.powf((past as f64).min(60.0) / half);
        self.level.fade(by(LEVEL_HALF));
        self.phi.fade(by(SPREAD_HALF));
        for (cells, half) in [(&mut self.hours, HOUR_HALF), (&mut self.week, WEEK_HALF), (&mut self.kinds, KIND_HALF)] {
            for cell in cells.iter_mut() {
                cell.fade(by(half));
            }
        }
        // Factors say how a day differs; how much there is says the level alone.
        let (work, free) = self.hours.split_at_mut(24);
        let gained = even(work) * even(self.week.get_mut(..5).unwrap_or_default());
        even(free);
        // A smaller denominator is a larger level.
        self.level.1 /= gained;
    }

    /// The level does not hold any more: it is learned anew from what comes.
    pub fn adopt(&mut self) {
        self.level.fade(ADOPT);
    }
}

fn add(cells: &mut [Cell], at: usize, came: f64, due: f64) {
    if let Some(cell) = cells.get_mut(at) {
        // `due` holds the factor already: without it, what would have come by everything else.
        let others = due / cell.factor();
        cell.0 += came;
        cell.1 += others;
        cell.0 = cell.0.max(1e-4 * cell.1);
    }
}

/// Brings factors to a mean of one; gives the mean they had.
fn even(cells: &mut [Cell]) -> f64 {
    let mean = cells.iter().map(|cell| cell.factor()).sum::<f64>() / cells.len().max(1) as f64;
    if mean > 0.0 {
        for cell in cells.iter_mut() {
            cell.1 *= mean;
        }
        return mean;
    }
    1.0
}
