//! How counts spread about their mean: negative binomial, with what is needed to say how unusual one is.
//!
//! Invariant: every answer is finite, for any mean and dispersion that are.

/// A count that varies more than chance alone makes it: variance `mean + phi · mean²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    mean: f64,
    phi: f64,
}

/// No count is so even.
const LEAST: f64 = 1e-3;
/// No mean is smaller: what never came may come.
const FEWEST: f64 = 1e-3;
/// Counts beyond this are not told apart.
const MOST: u64 = 1 << 40;

impl Spread {
    /// Of a mean and a dispersion.
    pub fn new(mean: f64, phi: f64) -> Self {
        let clean = |x: f64, least: f64| if x.is_finite() { x.max(least) } else { least };
        Self { mean: clean(mean, FEWEST).min(1e9), phi: clean(phi, LEAST).min(25.0) }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    fn size(&self) -> f64 {
        1.0 / self.phi
    }

    /// Log of the chance of nothing at all.
    pub fn ln_zero(&self) -> f64 {
        -self.size() * (self.phi * self.mean).ln_1p()
    }

    /// Log of the chance of exactly so many.
    pub fn ln_point(&self, n: u64) -> f64 {
        let (r, x) = (self.size(), n as f64);
        let p = self.phi * self.mean;
        ln_gamma(x + r) - ln_gamma(r) - ln_gamma(x + 1.0) - r * p.ln_1p() + x * (p / (1.0 + p)).ln()
    }

    /// Chance of so many or fewer.
    pub fn up_to(&self, n: u64) -> f64 {
        let p = 1.0 / (1.0 + self.phi * self.mean);
        incomplete_beta(self.size(), n as f64 + 1.0, p)
    }

    /// Chance of fewer, and half of the chance of exactly so many.
    pub fn mid(&self, n: u64) -> f64 {
        let below = n.checked_sub(1).map_or(0.0, |n| self.up_to(n));
        (f64::midpoint(below, self.up_to(n))).clamp(1e-12, 1.0 - 1e-12)
    }

    /// The least count that at least this share lies at or below.
    pub fn quantile(&self, share: f64) -> u64 {
        let (mut low, mut high) = (0, 1);
        while self.up_to(high) < share && high < MOST {
            low = high;
            high *= 2;
        }
        if self.up_to(0) >= share {
            return 0;
        }
        while low + 1 < high {
            let middle = u64::midpoint(low, high);
            if self.up_to(middle) >= share { high = middle } else { low = middle }
        }
        high
    }
}

/// Log of the gamma function (Lanczos, g = 7, n = 9), for positive arguments.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = (1..).zip(C).fold(0.999_999_999_999_809_9, |sum, (i, c)| sum + c / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function, by its continued fraction.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    let value = if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    };
    value.clamp(0.0, 1.0)
}

/// Lentz's way of working out the continued fraction.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let off_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = lower;
    for step in 1..400 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            lower = 1.0 / off_zero(1.0 + term * lower);
            upper = off_zero(1.0 + term / upper);
            change = upper * lower;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-12 {
            break;
        }
    }
    value
}

/// The normal quantile (Acklam), exact to 1e-9.
pub fn normal_score(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    };
    if p < 0.02425 {
        return tail(p);
    }
    if p > 1.0 - 0.02425 {
        return -tail(1.0 - p);
    }
    let q = p - 0.5;
    let r = q * q;
    horner(&A, r) * q / (horner(&B, r) * r + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-8 * (1.0 + b.abs())
    }

    #[test]
    fn known_values() {
        assert!(near(ln_gamma(5.0), 24.0_f64.ln()) && near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln()));
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_813)] {
            assert!((normal_score(p) - z).abs() < 1e-7, "{p}");
        }
        // One success wanted, chance a half: half of all have no failure, three of four at most one.
        let even = Spread::new(1.0, 1.0);
        assert!(near(even.up_to(0), 0.5) && near(even.up_to(1), 0.75) && near(even.ln_point(2).exp(), 0.125));
        assert!(near(even.mid(1), 0.625) && near(even.ln_zero(), 0.5_f64.ln()));
    }

    proptest! {
        #[test]
        fn chances_add_up(mean in 0.01..3000.0_f64, phi in 0.001..3.0_f64) {
            let spread = Spread::new(mean, phi);
            let mut sum = 0.0;
            for n in 0..200 {
                sum += spread.ln_point(n).exp();
                prop_assert!((spread.up_to(n) - sum).abs() < 1e-6, "{n}: {} {sum}", spread.up_to(n));
            }
            for share in [0.01, 0.05, 0.5, 0.95, 0.99] {
                let n = spread.quantile(share);
                prop_assert!(spread.up_to(n) >= share && n.checked_sub(1).is_none_or(|n| spread.up_to(n) < share));
            }
        }

        #[test]
        fn nothing_is_ever_infinite(mean in any::<f64>(), phi in any::<f64>(), n in any::<u64>()) {
            let spread = Spread::new(mean, phi);
            let n = n >> 24;
            for x in [spread.ln_zero(), spread.ln_point(n), spread.up_to(n), spread.mid(n), normal_score(spread.mid(n))] {
                prop_assert!(x.is_finite());
            }
        }
    }
}
