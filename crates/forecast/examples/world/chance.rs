//! What chance draws in the third made-up world.

use std::f64::consts::TAU;

use fastrand::Rng;

/// Around 0, with a deviation of 1.
pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
}

/// Around a median, with this deviation of the logarithm.
pub fn lognormal(median: f64, sd: f64, rng: &mut Rng) -> f64 {
    median * (sd * normal(rng)).exp()
}

pub fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

pub fn between(low: f64, high: f64, rng: &mut Rng) -> f64 {
    low + (high - low) * rng.f64()
}

pub fn happens(chance: f64, rng: &mut Rng) -> bool {
    rng.f64() < chance
}

/// How many, where this many come in the mean, each by itself.
pub fn count(mean: f64, rng: &mut Rng) -> usize {
    if mean > 60.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0) as usize;
    }
    let (floor, mut product, mut n) = ((-mean).exp(), rng.f64(), 0);
    while product > floor {
        product *= rng.f64();
        n += 1;
    }
    n
}

/// One at least, this many in the mean, without memory.
pub fn group(mean: f64, rng: &mut Rng) -> usize {
    if mean <= 1.0 {
        return 1;
    }
    1 + ((1.0 - rng.f64()).ln() / (1.0 - 1.0 / mean).ln()).floor() as usize
}

/// Of so many, those that a chance takes.
pub fn some(of: usize, chance: f64, rng: &mut Rng) -> usize {
    (0..of).filter(|_| happens(chance, rng)).count()
}

/// One of these, each as often as its weight says.
pub fn one_of<T: Copy>(all: &[(f64, T)], rng: &mut Rng) -> T {
    let mut left = rng.f64() * all.iter().map(|(weight, _)| weight).sum::<f64>();
    for (weight, one) in all {
        left -= weight;
        if left <= 0.0 {
            return *one;
        }
    }
    all[all.len() - 1].1
}
