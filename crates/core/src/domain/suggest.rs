//! "Did you mean": the nearest known name to a misspelt one.

/// Longest name that is compared, bytes, and the most candidates.
const LONGEST: usize = 128;
const MOST: usize = 256;

/// The candidate nearest to `word` (case and `_`/`-` ignored), when it is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let fold = |s: &str| s.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect::<String>();
    // Nobody mistypes a name of this length, or among so many; comparing them would take longer than reading the file.
    if word.len() > LONGEST {
        return None;
    }
    let word = fold(word);
    candidates
        .iter()
        .filter(|c| c.len() <= LONGEST)
        .take(MOST)
        .map(|c| (strsim::osa_distance(&word, &fold(c)), *c))
        .filter(|(d, c)| *d <= (c.chars().count().max(word.chars().count()) / 3).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_find_their_neighbour_and_strangers_do_not() {
        let known = ["page_size", "batch", "submit", "overlap"];
        for (word, want) in [
            ("pageSize", Some("page_size")),
            ("page-size", Some("page_size")),
            ("overlpa", Some("overlap")),
            ("sumbit", Some("submit")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, &known), want, "{word}");
        }
    }
}
