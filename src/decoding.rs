//! One decoding step: the tokens allowed after each hypothesis, and either the best continuations of all
//! hypotheses of a source (beam search) or one sampled token per hypothesis.
//!
//! Scores o (N, V) may have any constant offset per row: ln P = log softmax(o), row by row. Rules exclude
//! tokens but do not renormalize: the remaining tokens keep the model's probabilities.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernels::{Real, exponentials};
use crate::parallel;
use crate::random;
use crate::sampling::{Sampling, top_k};

/// Scores per block. The normalizer sums whole blocks, so appending tokens of probability 0 does not change
/// its bits. A model that copies words needs this: the number of its tokens depends on the sources of the
/// batch.
const BLOCK: usize = 64;

/// Fewest scores worth a thread.
const GRAIN: usize = 1 << 15;

/// Constraints on the next token.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Tokens that are not allowed.
    pub forbidden: &'a [i64],
    /// For each of the N hypotheses, the token that must follow, or −1; overrides the other rules.
    pub forced: &'a [i64],
    /// The token that ends a hypothesis.
    pub end: Option<usize>,
    /// Whether `end` is allowed.
    pub may_end: bool,
    /// The tokens of each hypothesis so far (N, n).
    pub history: &'a [i64],
    /// Length of the n-grams that must not repeat within a hypothesis; 0 for no such rule.
    pub ngram: usize,
}

/// The best continuations: `keep` entries per source, the best first; the row is −1 in unused entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// The hypothesis that is continued.
    pub rows: Vec<i64>,
    /// The token that continues it.
    pub tokens: Vec<i64>,
    /// ln P of all tokens of the continuation.
    pub totals: Vec<f64>,
}

/// One sampled token per hypothesis, with its ln P.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The tokens (N).
    pub tokens: Vec<i64>,
    /// The model's ln P of each token (N), without rules or temperature.
    pub log_p: Vec<f64>,
}

impl Rules<'_> {
    /// Checks the caller's ids for `rows` hypotheses and `columns` tokens.
    fn check(&self, op: &'static str, rows: usize, columns: usize) -> Result<()> {
        let ids = |argument, ids: &[i64], least: i64| {
            let wrong = ids.iter().position(|&id| id < least || id >= columns as i64);
            wrong.map_or(Ok(()), |position| {
                Err(Error::TokenId { op, argument, position, id: ids[position], last: columns as i64 - 1 })
            })
        };
        ids("forbidden", self.forbidden, 0)?;
        ids("forced", self.forced, -1)?;
        ids("end_id", &self.end.map_or(vec![], |end| vec![end as i64]), 0)?;
        assert_eq!(self.forced.len(), rows, "expected one forced token, or −1, per hypothesis");
        Ok(())
    }

    /// Sets the scores of the tokens that are not allowed after hypothesis `row` to −∞.
    fn apply<R: Real>(&self, row: usize, scores: &mut [R]) {
        let mut forbid = |id: i64| {
            if let Some(score) = usize::try_from(id).ok().and_then(|id| scores.get_mut(id)) {
                *score = R::neg_infinity();
            }
        };
        self.forbidden.iter().copied().for_each(&mut forbid);
        if let (Some(end), false) = (self.end, self.may_end) {
            forbid(end as i64);
        }
        let length = self.history.len() / self.forced.len().max(1);
        let history = &self.history[row * length..][..length];
        if self.ngram > 0 && length >= self.ngram {
            let last = &history[length + 1 - self.ngram..];
            history.windows(self.ngram).filter(|gram| gram.starts_with(last)).for_each(|gram| {
                forbid(gram[self.ngram - 1]);
            });
        }
    }
}

/// One row of scores, and a work buffer of the same length rounded up to whole blocks.
struct Row<'a, R> {
    op: &'static str,
    number: usize,
    scores: &'a [R],
    work: &'a mut [R],
}

/// Allocates the work buffer for rows of `columns` scores.
fn room<R: Real>(columns: usize) -> Vec<R> {
    vec![R::zero(); columns.next_multiple_of(BLOCK)]
}

impl<R: Real> Row<'_, R> {
    /// Returns the largest score and ln Σ e^{score − largest}. Subtracting both from a score gives its ln P.
    fn normalizer(&mut self) -> Result<(f64, f64)> {
        let (own, more) = self.work.split_at_mut(self.scores.len());
        own.copy_from_slice(self.scores);
        more.fill(R::neg_infinity());
        let (most, sum) = exponentials(self.work);
        if !(most.is_finite() && sum.is_finite()) {
            let got = format!("a maximum of {most} and a sum of {sum} in row {}", self.number);
            return Err(Error::Value {
                op: self.op,
                argument: "scores",
                expected: "finite scores".into(),
                got,
            });
        }
        Ok((most.wide(), libm::log(sum.wide())))
    }

    /// Copies the scores to the work buffer and returns them for modification.
    fn fill(&mut self) -> &mut [R] {
        let own = &mut self.work[..self.scores.len()];
        own.copy_from_slice(self.scores);
        own
    }

    /// Returns the scores after `only` has applied the rules.
    fn left(&self) -> &[R] {
        &self.work[..self.scores.len()]
    }

    fn log_p(&self, token: usize, (most, log_sum): (f64, f64)) -> f64 {
        (self.scores[token].wide() - most) - log_sum
    }

    /// Returns the forced token, or the end token if the rules allow no token; otherwise `None`.
    fn only(&mut self, rules: &Rules<'_>) -> Result<Option<usize>> {
        if let Ok(forced) = usize::try_from(rules.forced[self.number]) {
            return Ok(Some(forced));
        }
        let number = self.number;
        let allowed = self.fill();
        rules.apply(number, allowed);
        if allowed.iter().any(|score| score.is_finite()) {
            return Ok(None);
        }
        rules.end.map(Some).ok_or_else(|| Error::Value {
            op: self.op,
            argument: "constraints",
            expected: "at least one allowed token".into(),
            got: format!("none for hypothesis {}", self.number),
        })
    }
}

/// Returns the `keep` best continuations of the hypotheses of each source, by ln P of all tokens. Ties go to
/// the earlier hypothesis, then to the lower token id.
///
/// # Arguments
/// `scores` (N, V); `totals` (N): ln P of each hypothesis; `sources`: the range of hypotheses of each source.
///
/// # Errors
/// [`Error::TokenId`] for an invalid token id in a rule; [`Error::Value`] if scores are NaN, +∞ or all −∞, or
/// if no token is allowed after a hypothesis and there is no end token.
///
/// # Panics
/// If the sizes do not match.
pub fn best<R: Real>(
    (scores, columns): (&[R], usize),
    totals: &[f64],
    sources: &[Range<usize>],
    keep: usize,
    rules: &Rules<'_>,
) -> Result<Best> {
    const OP: &str = "beam_search";
    rules.check(OP, totals.len(), columns)?;
    assert_eq!(scores.len(), totals.len() * columns, "expected one row of scores per hypothesis");
    let places = sources.len().checked_mul(keep).ok_or_else(|| too_many(keep))?;
    parallel::check_memory(OP, (places as u64).saturating_mul(24))?;
    let mut found =
        Best { rows: vec![-1; places], tokens: vec![-1; places], totals: vec![f64::NEG_INFINITY; places] };
    let ranges = parallel::ranges(sources.len(), GRAIN * sources.len() / scores.len().max(1))?;
    let parts = parallel::split_rows(&mut found.rows, &ranges, keep)
        .into_iter()
        .zip(parallel::split_rows(&mut found.tokens, &ranges, keep))
        .zip(parallel::split_rows(&mut found.totals, &ranges, keep))
        .zip(ranges.iter().cloned())
        .collect();
    parallel::for_each(parts, |(((rows, tokens), sums), range), _| {
        let mut work = room(columns);
        for (i, source) in sources[range].iter().enumerate() {
            let mut all: Vec<(f64, usize, usize)> = Vec::new();
            let wanted = source.len().saturating_mul(keep.min(columns));
            parallel::check_memory(OP, (wanted as u64).saturating_mul(24))?;
            all.try_reserve(wanted).map_err(|_| too_many(keep))?;
            for number in source.clone() {
                let scores = &scores[number * columns..][..columns];
                continuations(
                    Row { op: OP, number, scores, work: &mut work },
                    keep,
                    rules,
                    |token, log_p| {
                        all.push((totals[number] + log_p, number, token));
                    },
                )?;
            }
            all.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            for (place, &(total, row, token)) in all.iter().take(keep).enumerate() {
                let place = i * keep + place;
                (rows[place], tokens[place], sums[place]) = (row as i64, token as i64, total);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Returns the error of a beam that does not fit in memory.
fn too_many(keep: usize) -> Error {
    Error::Value {
        op: "beam_search",
        argument: "beam",
        expected: "hypotheses that fit in memory".into(),
        got: keep.to_string(),
    }
}

/// Passes the best next tokens of a hypothesis, with their ln P, to `found`.
fn continuations<R: Real>(
    mut row: Row<'_, R>,
    keep: usize,
    rules: &Rules<'_>,
    mut found: impl FnMut(usize, f64),
) -> Result<()> {
    let normalizer = row.normalizer()?;
    if let Some(token) = row.only(rules)? {
        found(token, row.log_p(token, normalizer));
        return Ok(());
    }
    for token in top_k(row.left(), keep).into_iter().take_while(|&token| row.left()[token].is_finite()) {
        found(token, row.log_p(token, normalizer));
    }
    Ok(())
}

/// Samples one of the allowed tokens for each hypothesis.
///
/// # Arguments
/// `scores` (N, V); `seed` and, for each hypothesis, a key of four numbers: equal seeds and keys give equal
/// samples.
///
/// # Errors
/// As [`best`]; [`Error::Value`] for invalid sampling settings.
///
/// # Panics
/// If the sizes do not match.
pub fn draw<R: Real>(
    (scores, columns): (&[R], usize),
    rules: &Rules<'_>,
    sampling: Sampling,
    seed: u64,
    keys: &[[u64; 4]],
) -> Result<Drawn> {
    const OP: &str = "sample";
    rules.check(OP, keys.len(), columns)?;
    assert_eq!(scores.len(), keys.len() * columns, "expected one row of scores per hypothesis");
    let mut drawn = Drawn { tokens: vec![0; keys.len()], log_p: vec![0.0; keys.len()] };
    let ranges = parallel::ranges(keys.len(), GRAIN / columns.max(1))?;
    let parts = parallel::split_rows(&mut drawn.tokens, &ranges, 1)
        .into_iter()
        .zip(parallel::split_rows(&mut drawn.log_p, &ranges, 1))
        .zip(ranges.iter().cloned())
        .collect();
    parallel::for_each(parts, |((tokens, log_p), range), _| {
        let mut work = room(columns);
        for ((number, token), log_p) in range.zip(tokens).zip(log_p) {
            let scores = &scores[number * columns..][..columns];
            let mut row = Row { op: OP, number, scores, work: &mut work };
            let normalizer = row.normalizer()?;
            let chosen = match row.only(rules)? {
                Some(token) => token,
                None => {
                    let bits = random::philox([seed, 0], keys[number])[0];
                    sampling.choose(row.left(), random::uniform(bits))?
                }
            };
            (*token, *log_p) = (chosen as i64, row.log_p(chosen, normalizer));
        }
        Ok(())
    })?;
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FREE: Rules<'_> =
        Rules { forbidden: &[], forced: &[], end: Some(0), may_end: true, history: &[], ngram: 0 };
    const V: usize = 5;
    /// A single source with one hypothesis.
    const ONE: &[Range<usize>] = std::slice::from_ref(&(0..1));

    /// Returns ln P of a row's tokens, by the definition.
    fn log_softmax(row: &[f64]) -> Vec<f64> {
        let sum: f64 = row.iter().map(|o| o.exp()).sum();
        row.iter().map(|o| o - sum.ln()).collect()
    }

    /// Returns all continuations of the given rows, the best first.
    fn sorted(scores: &[f64], totals: &[f64], rows: Range<usize>, banned: &[usize]) -> Vec<(f64, i64, i64)> {
        let mut all: Vec<_> = rows
            .flat_map(|row| {
                let log_p = log_softmax(&scores[row * V..][..V]);
                let tokens = (0..V).filter(|token| !banned.contains(token));
                tokens
                    .map(move |token| (totals[row] + log_p[token], row as i64, token as i64))
                    .collect::<Vec<_>>()
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all
    }

    proptest! {
        #[test]
        fn the_best_are_the_head_of_all_continuations(
            scores in prop::collection::vec(-4.0f64..4.0, 4 * V),
            totals in prop::collection::vec(-9.0f64..0.0, 4),
            keep in 1usize..8,
            may_end: bool,
        ) {
            let rules = Rules { forbidden: &[3], forced: &[-1; 4], may_end, ..FREE };
            let sources = [0..3, 3..4];
            let found = best((&scores, V), &totals, &sources, keep, &rules).unwrap();
            let banned: &[usize] = if may_end { &[3] } else { &[0, 3] };
            for (i, source) in sources.into_iter().enumerate() {
                let expected = sorted(&scores, &totals, source, banned);
                for place in 0..keep {
                    let at = i * keep + place;
                    let Some(&(total, row, token)) = expected.get(place) else {
                        prop_assert_eq!((found.rows[at], found.totals[at]), (-1, f64::NEG_INFINITY));
                        continue;
                    };
                    prop_assert_eq!((found.rows[at], found.tokens[at]), (row, token));
                    prop_assert!((found.totals[at] - total).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn tokens_of_probability_0_behind_change_nothing() {
        let scores: Vec<f32> = (0..203).map(|i| ((i * 7919) % 97) as f32 / 9.0).collect();
        let free = Rules { forced: &[-1], ..FREE };
        let plain = best((&scores, 203), &[-0.3], ONE, 5, &free).unwrap();
        for more in [1, 5, 60, 200] {
            let longer = [&scores[..], &vec![f32::NEG_INFINITY; more]].concat();
            assert_eq!(best((&longer, 203 + more), &[-0.3], ONE, 5, &free).unwrap(), plain);
        }
    }

    #[test]
    fn an_ngram_comes_once() {
        let rules = Rules { forced: &[-1], history: &[1, 2, 3, 1, 2], ngram: 3, ..FREE };
        let mut scores = [1.0f32; V];
        rules.apply(0, &mut scores);
        assert_eq!(scores, [1.0, 1.0, 1.0, f32::NEG_INFINITY, 1.0]);
        let mut scores = [1.0f32; V];
        Rules { ngram: 1, ..rules }.apply(0, &mut scores);
        let no = f32::NEG_INFINITY;
        assert_eq!(scores, [1.0, no, no, no, 1.0]);
    }

    #[test]
    fn what_is_forced_comes_whatever_the_rules_and_keeps_its_probability() {
        let rules = Rules { forbidden: &[2], forced: &[2, -1], may_end: false, ..FREE };
        let scores = [0.0f64; 2 * V];
        let found = best((&scores, V), &[0.0, -1.0], &[0..1, 1..2], 2, &rules).unwrap();
        assert_eq!((&found.rows[..], &found.tokens[..]), (&[0, -1, 1, 1][..], &[2, -1, 1, 3][..]));
        assert!((found.totals[0] + 5f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn where_nothing_may_follow_it_ends() {
        let rules = Rules { forbidden: &[1, 2, 3, 4], forced: &[-1], may_end: false, ..FREE };
        let found = best((&[0.0f32; V], V), &[0.0], ONE, 1, &rules).unwrap();
        assert_eq!(found.tokens, [0]);
        let endless = Rules { end: None, forbidden: &[0, 1, 2, 3, 4], ..rules };
        let error = best((&[0.0f32; V], V), &[0.0], ONE, 1, &endless).unwrap_err().to_string();
        assert_eq!(
            error,
            "beam_search: constraints: expected at least one allowed token, got none for hypothesis 0"
        );
    }

    #[test]
    fn draws_follow_the_distribution_of_what_is_left_and_their_own_keys() {
        let n = 4000;
        let (scores, forced) = ([0.0f64, 3f64.ln(), 0.0].repeat(n), vec![-1; n]);
        let rules = Rules { forbidden: &[2], forced: &forced, ..FREE };
        let keys: Vec<[u64; 4]> = (0..n as u64).map(|i| [i, 0, 7, 0]).collect();
        let plain = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };
        let drawn = draw((&scores, 3), &rules, plain, 1, &keys).unwrap();
        let share = drawn.tokens.iter().filter(|&&token| token == 1).count() as f64 / n as f64;
        assert!((share - 0.75).abs() < 0.03 && !drawn.tokens.contains(&2), "{share}");
        let one = Rules { forced: &[-1], ..rules };
        for i in [0, 17, n - 1] {
            let alone = draw((&scores[..3], 3), &one, plain, 1, &keys[i..=i]).unwrap();
            assert_eq!((alone.tokens[0], alone.log_p[0]), (drawn.tokens[i], drawn.log_p[i]));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let free = Rules { forced: &[-1], ..FREE };
        for scores in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [f32::NEG_INFINITY; 2]] {
            assert!(best((&scores, 2), &[0.0], ONE, 1, &free).is_err(), "{scores:?}");
        }
        for rules in [
            Rules { forbidden: &[2], ..free },
            Rules { forbidden: &[-1], ..free },
            Rules { forced: &[2], ..free },
            Rules { forced: &[-2], ..free },
            Rules { end: Some(2), ..free },
        ] {
            let error = best((&[0.0f32; 2], 2), &[0.0], ONE, 1, &rules).unwrap_err();
            assert!(matches!(error, Error::TokenId { .. }), "{error}");
        }
    }
}
