//! The bucket: its rate and its burst, what a wish of the server costs, and how the pace comes back.

use super::*;

fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn drain(bucket: &mut Bucket, now: Duration) -> u32 {
    let mut n = 0;
    while bucket.take(now).is_ok() {
        n += 1;
    }
    n
}

#[test]
fn the_bucket_lets_through_its_rate_and_no_more() {
    let mut bucket = Bucket::new(60, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 5);
    assert_eq!(drain(&mut bucket, s(1)), 1);
    assert_eq!(bucket.take(s(1)), Err(s(1)));
    let passed: u32 = (2..62).map(|at| drain(&mut bucket, s(at))).sum();
    assert_eq!(passed, 60);
    assert_eq!(drain(&mut bucket, s(3600)), 5, "an hour of idling saves up the burst only");
}

#[test]
fn a_wish_halves_the_pace_and_quiet_time_alone_brings_it_back_within_minutes() {
    let mut bucket = Bucket::new(60, s(0));
    assert!(bucket.slow_down(Some(s(999_999)), s(0), s(0)));
    assert_eq!(bucket.allowed(), 30);
    assert_eq!(bucket.take(s(0)), Err(LONGEST_HOLD), "the wish is clamped");
    assert_eq!(bucket.ends(), (LONGEST_HOLD, LONGEST_HOLD + CLEAN));
    assert!(bucket.take(s(15 * 60)).is_ok());
    assert_eq!(bucket.allowed(), 30);
    let _ = bucket.take(s(15 * 60 + 29));
    assert_eq!(bucket.allowed(), 30);
    let _ = bucket.take(s(15 * 60 + 30));
    assert_eq!(bucket.allowed(), 60);
    assert!(!bucket.is_slowed(s(15 * 60 + 30)));
}

#[test]
fn answers_of_calls_that_left_before_a_slow_down_are_one_wish() {
    let mut bucket = Bucket::new(600, s(0));
    // Eight calls in flight, all refused with a wait, one after the other.
    assert!(bucket.slow_down(Some(s(7)), s(0), s(1)));
    for at in 2..9 {
        assert!(!bucket.slow_down(Some(s(3)), s(0), s(at)), "{at}");
    }
    assert_eq!(bucket.allowed(), 300);
    assert_eq!(bucket.take(s(8)), Err(s(3)), "the last of them asked for three seconds more");
    assert_eq!(bucket.ends(), (s(11), s(11 + 30)));
    // One that names no time makes nothing longer.
    assert!(!bucket.slow_down(None, s(1), s(10)));
    assert!(bucket.take(s(11)).is_ok());
    // Neither do good answers of calls that left before it raise the pace.
    bucket.answered(s(1), s(11));
    assert_eq!(bucket.allowed(), 300);
    bucket.answered(s(11), s(12));
    assert_eq!(bucket.allowed(), 320);
    bucket.set(60, s(3600));
    assert_eq!((bucket.allowed(), bucket.configured()), (60, 60));
}

#[test]
fn wishes_without_a_good_answer_between_them_wait_longer_each_and_halve_the_pace_again() {
    let mut bucket = Bucket::new(600, s(0));
    let mut at = s(1);
    let mut seen = Vec::new();
    for _ in 0..10 {
        let halved = bucket.slow_down(None, at, at);
        let wait = bucket.take(at).unwrap_err();
        seen.push((wait.as_millis(), halved, bucket.allowed()));
        at += wait;
    }
    let first = [(250, true, 300), (250, false, 300), (500, false, 300), (1000, false, 300), (2000, true, 150)];
    let then = [(4000, false, 150), (8000, false, 150), (16000, false, 150), (30000, true, 75), (30000, false, 75)];
    assert_eq!([first, then].concat(), seen);
    // A good answer ends the row.
    bucket.answered(at, at + s(1));
    bucket.slow_down(None, at + s(1), at + s(2));
    assert_eq!(bucket.take(at + s(2)), Err(PLAIN_HOLD));
}

/// Calls one after the other, each answered after so long, until so many were answered well. `busy`: whether the server
/// asks to slow down, by the number of the call and when. Gives when it was done, calls in all, and the lowest pace.
fn work(pace: u32, ms: u64, good: u32, mut busy: impl FnMut(u32, Duration) -> bool) -> (Duration, u32, u32) {
    let mut bucket = Bucket::new(pace, s(0));
    let (mut now, mut calls, mut done, mut lowest) = (s(0), 0, 0, pace);
    while done < good {
        if let Err(wait) = bucket.take(now) {
            now += wait;
            continue;
        }
        let left = now;
        now += Duration::from_millis(ms);
        calls += 1;
        if busy(calls, now) {
            bucket.slow_down(None, left, now);
        } else {
            bucket.answered(left, now);
            done += 1;
        }
        lowest = lowest.min(bucket.allowed());
    }
    (now, calls, lowest)
}

#[test]
fn a_server_that_asks_at_a_third_of_the_calls_whatever_the_pace_slows_the_work_by_a_few_times_and_no_more() {
    // (configured, milliseconds a call, bills, most seconds)
    for (pace, ms, bills, most) in [
        (60_000, 50, 100, 120),
        (60_000, 50, 10_000, 5_000),
        (60_000, 5, 1_000, 500),
        (600, 200, 100, 120),
        (60, 200, 100, 420),
        (6, 1_000, 20, 900),
    ] {
        let mut rng = fastrand::Rng::with_seed(u64::from(pace) + ms);
        let (took, calls, lowest) = work(pace, ms, bills, |_, _| rng.u32(0..100) < 36);
        assert!(took <= s(most), "{pace}/min, {ms} ms: {took:?} for {bills} bills, {calls} calls, lowest {lowest}");
    }
}

#[test]
fn a_server_with_a_limit_of_its_own_is_found_and_kept_to() {
    for limit in [30, 120, 600] {
        let (mut minute, mut taken) = (0, 0);
        let (took, calls, _) = work(60_000, 20, limit * 20, |_, now| {
            // So many calls in each tenth of a minute.
            if now.as_secs() / 6 != minute {
                (minute, taken) = (now.as_secs() / 6, 0);
            }
            taken += 1;
            taken > limit.div_ceil(10)
        });
        let refused = calls - limit * 20;
        assert!(took < s(60 * 45), "{limit}/min: {took:?}");
        assert!(refused * 2 < calls, "{limit}/min: {refused} of {calls} refused");
    }
}

#[test]
fn once_the_server_is_well_again_the_pace_is_back_within_minutes_and_the_time_told_is_kept() {
    for pace in [6, 60, 600, 60_000] {
        let mut bucket = Bucket::new(pace, s(0));
        let mut now = s(1);
        for _ in 0..400 {
            bucket.slow_down(Some(s(1)), now, now);
            now += s(1);
        }
        let (held, full) = bucket.ends();
        assert!(full.saturating_sub(held) <= s(9 * 60), "{pace}: {:?}", full.saturating_sub(held));
        assert!(bucket.is_slowed(full.saturating_sub(s(1))) && !bucket.is_slowed(full), "{pace}");
    }
}

#[test]
fn a_slow_pace_has_a_small_burst() {
    let mut bucket = Bucket::new(6, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 1);
    assert_eq!(bucket.take(s(0)), Err(s(10)));
    let mut bucket = Bucket::new(60, s(0));
    bucket.set(6, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 1, "what was saved up under a faster pace is gone");
    let mut bucket = Bucket::new(24, s(0));
    bucket.slow_down(Some(s(1)), s(0), s(0));
    assert_eq!(drain(&mut bucket, s(1)), 1);
}

#[test]
fn a_rate_below_one_call_a_minute_is_one() {
    let mut bucket = Bucket::new(0, s(0));
    assert_eq!(
        (bucket.allowed(), bucket.configured(), bucket.take(s(0)), bucket.take(s(0))),
        (1, 1, Ok(()), Err(s(60)))
    );
    bucket.set(0, s(60));
    assert_eq!((bucket.allowed(), bucket.configured(), bucket.take(s(60))), (1, 1, Ok(())));
    assert!(bucket.slow_down(Some(s(0)), s(60), s(60)));
    assert_eq!((bucket.allowed(), bucket.take(s(60))), (1, Err(s(60))), "half of one is one");
}

#[test]
fn a_token_that_was_not_used_comes_back_and_none_beside_it() {
    let mut bucket = Bucket::new(60, s(0));
    bucket.give_back();
    assert_eq!(drain(&mut bucket, s(0)), 5, "a full bucket holds no more");
    bucket.give_back();
    bucket.give_back();
    assert_eq!(drain(&mut bucket, s(0)), 2);
}

#[test]
fn what_was_saved_up_before_a_change_was_saved_at_the_rate_of_then() {
    let mut bucket = Bucket::new(60, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 5);
    bucket.set(6, s(2));
    assert_eq!((bucket.take(s(2)), bucket.take(s(2))), (Ok(()), Err(s(10))));
    let mut bucket = Bucket::new(60, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 5);
    assert!(bucket.slow_down(Some(s(0)), s(2), s(2)));
    assert_eq!((drain(&mut bucket, s(2)), bucket.take(s(2))), (2, Err(s(2))));
}

#[test]
fn the_wait_is_what_is_missing_of_a_token_and_no_shorter_than_a_clock_can_tell() {
    let ms = Duration::from_millis;
    let mut bucket = Bucket::new(60, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 5);
    assert_eq!((bucket.take(ms(250)), bucket.take(ms(500))), (Err(ms(750)), Err(ms(500))));
    let mut bucket = Bucket::new(60_000, s(0));
    assert_eq!(drain(&mut bucket, s(0)), 5);
    assert_eq!(bucket.take(Duration::from_micros(500)), Err(ms(1)), "half a millisecond");
}

#[test]
fn where_half_the_pace_is_all_of_it_a_wish_is_felt_as_long_as_its_pause() {
    let mut bucket = Bucket::new(1, s(0));
    assert!(!bucket.is_slowed(s(0)));
    assert!(bucket.slow_down(Some(s(5)), s(0), s(1)));
    assert!(bucket.is_slowed(s(5)) && !bucket.is_slowed(s(6)));
}

#[test]
fn what_left_before_the_last_counted_wish_or_with_it_makes_a_pause_longer_at_most() {
    let mut bucket = Bucket::new(600, s(0));
    assert!(bucket.slow_down(None, s(0), s(10)));
    assert!(!bucket.slow_down(None, s(10), s(11)), "it left when the wish was counted");
    assert_eq!(bucket.take(s(11)), Ok(()));
    // A wish that does not count hides none that does: the call had left after the first.
    assert!(!bucket.slow_down(None, s(5), s(20)));
    assert!(!bucket.slow_down(None, s(15), s(25)));
    assert_eq!(bucket.take(s(25)), Err(PLAIN_HOLD));
    // Nor is a whole pace halved by one that was answered very late.
    assert_eq!((bucket.take(s(3600)), bucket.allowed()), (Ok(()), 600));
    assert!(!bucket.slow_down(Some(s(1)), s(9), s(3600)));
    assert_eq!((bucket.take(s(3600)), bucket.allowed()), (Err(s(1)), 600));
}

#[test]
fn twenty_answers_lie_between_two_halvings() {
    let mut bucket = Bucket::new(600, s(0));
    assert!(bucket.slow_down(None, s(0), s(1)));
    let halved: Vec<u64> = (1..=40)
        .filter(|n| {
            let at = s(1 + n);
            if n % 2 == 0 {
                return bucket.slow_down(None, at, at);
            }
            bucket.answered(at, at);
            false
        })
        .collect();
    assert_eq!(halved, [20, 40]);
}

#[test]
fn twenty_good_answers_of_the_last_ten_minutes_tell_the_rate_that_was_reached() {
    let reached = |answers: u32, at: u64| {
        let mut bucket = Bucket::new(600, s(0));
        (0..answers).for_each(|_| bucket.answered(s(1), s(9)));
        bucket.refill(s(at));
        bucket.reached()
    };
    assert_eq!((reached(19, 9), reached(20, 9), reached(30, 9)), (None, Some(120.0), Some(180.0)));
    assert_eq!((reached(20, 599), reached(20, 600)), (Some(120.0), None));
    // The best span counts, and what is too old is not kept.
    let mut bucket = Bucket::new(600, s(0));
    for (at, answers) in [(5, 10), (15, 12), (25, 3)] {
        (0..answers).for_each(|_| bucket.answered(s(1), s(at)));
    }
    assert_eq!((bucket.reached(), bucket.good.len()), (Some(72.0), 3));
    bucket.answered(s(1), s(600));
    assert_eq!((bucket.reached(), bucket.good.len()), (None, 3), "the span before is older than ten minutes");
}

#[test]
fn half_of_twice_what_was_reached_is_where_it_goes_and_an_eighth_of_that_is_left() {
    let mut bucket = Bucket::new(600, s(0));
    (0..20).for_each(|_| bucket.answered(s(1), s(5)));
    let mut seen = vec![(bucket.slow_down(None, s(6), s(6)), bucket.allowed())];
    for n in 1..=16 {
        let at = s(6 + n);
        if bucket.slow_down(Some(s(1)), at, at) {
            seen.push((true, bucket.allowed()));
        }
    }
    assert_eq!(seen, [120, 60, 30, 15, 15].map(|allowed| (true, allowed)));
    let mut bucket = Bucket::new(2, s(0));
    assert!(bucket.slow_down(None, s(1), s(1)));
    assert_eq!(bucket.allowed(), 1, "one a minute is left, however little was reached");
}

#[test]
fn what_was_saved_up_before_a_good_answer_was_saved_at_the_rate_of_then() {
    let mut bucket = Bucket::new(60, s(0));
    assert!(bucket.slow_down(Some(s(0)), s(0), s(1)));
    drain(&mut bucket, s(1));
    let missing = bucket.take(s(1)).unwrap_err().as_secs_f64() * 30.0 / 60.0;
    let then = Duration::from_millis(1500);
    bucket.answered(then, then);
    assert_eq!(bucket.allowed(), 32);
    let expected = (missing - 0.5 * 30.0 / 60.0) * 60.0 / 32.0;
    let wait = bucket.take(then).unwrap_err().as_secs_f64();
    assert!((wait - expected).abs() < 1e-6, "{wait} {expected}");
}

#[test]
fn a_moment_before_the_last_one_fills_nothing() {
    let mut bucket = Bucket::new(60, s(10));
    assert_eq!(drain(&mut bucket, s(10)), 5);
    assert_eq!(bucket.take(s(5)), Err(s(5)), "it was made five seconds later");
    assert_eq!(bucket.take(s(10)), Err(s(1)), "the five seconds are not counted again");
    assert_eq!(bucket.take(s(11)), Ok(()));
}
