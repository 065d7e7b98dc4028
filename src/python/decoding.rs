//! Decoding: one step of a beam search, and sampling.

use numpy::{PyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{by_kind, ids, input, slice};
use super::error::value_error;
use crate::decoding::{self, Rules};
use crate::error::check_shape;
use crate::sampling::Sampling;

/// Rules as received from Python: forbidden (F,), forced (N,), the id of the end token, whether it may
/// follow, history (N, n), and the n of n-grams.
type GivenRules<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<usize>, bool, Bound<'py, PyAny>, usize);

/// The opened arrays of the rules.
struct OpenRules<'py> {
    forbidden: PyReadonlyArrayDyn<'py, i64>,
    forced: PyReadonlyArrayDyn<'py, i64>,
    history: PyReadonlyArrayDyn<'py, i64>,
    end: Option<usize>,
    may_end: bool,
    ngram: usize,
}

impl<'py> OpenRules<'py> {
    fn open(op: &'static str, given: &GivenRules<'py>, rows: usize) -> PyResult<Self> {
        let (forbidden, forced, end, may_end, history, ngram) = given;
        let forbidden = ids(op, "forbidden", forbidden)?;
        let (forced, history) = (ids(op, "forced", forced)?, ids(op, "history", history)?);
        check_shape(op, "forced", forced.shape(), &[("N", Some(rows))])?;
        check_shape(op, "history", history.shape(), &[("N", Some(rows)), ("n", None)])?;
        Ok(OpenRules { forbidden, forced, history, end: *end, may_end: *may_end, ngram: *ngram })
    }

    fn rules(&self) -> PyResult<Rules<'_>> {
        Ok(Rules {
            forbidden: slice(&self.forbidden)?,
            forced: slice(&self.forced)?,
            end: self.end,
            may_end: self.may_end,
            history: slice(&self.history)?,
            ngram: self.ngram,
        })
    }
}

/// Returns the rows, tokens (int64) and totals (float64) of the `keep` best continuations of each source's
/// hypotheses, source by source; `starts` (A + 1) delimits the rows of each source.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(super) fn best_continuations<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    totals: &Bound<'py, PyAny>,
    starts: &Bound<'py, PyAny>,
    keep: usize,
    rules: GivenRules<'py>,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
    const OP: &str = "beam_search";
    let (totals, starts) = (input::<f64>(OP, "totals", totals)?, ids(OP, "starts", starts)?);
    let (totals, starts) = (slice(&totals)?, slice(&starts)?);
    let rows = totals.len();
    let open = OpenRules::open(OP, &rules, rows)?;
    let fits = starts.first() == Some(&0) && starts.last() == Some(&(rows as i64)) && starts.is_sorted();
    if !fits {
        return Err(value_error(OP, "starts", "increasing rows from 0 to N", &format!("{starts:?}")));
    }
    let sources: Vec<_> = starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize).collect();
    by_kind!(OP, "scores", scores, R => {
        let scores = input::<R>(OP, "scores", scores)?;
        check_shape(OP, "scores", scores.shape(), &[("N", Some(rows)), ("V", None)])?;
        let (table, rules) = ((slice(&scores)?, scores.shape()[1]), open.rules()?);
        let found = py.detach(|| decoding::best(table, totals, &sources, keep, &rules))?;
        Ok((
            PyArray1::from_vec(py, found.rows),
            PyArray1::from_vec(py, found.tokens),
            PyArray1::from_vec(py, found.totals),
        ))
    })
}

/// Returns one sampled token (int64) per row and its ln P (float64); `keys` (N, 4) identifies each draw.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(super) fn draw_tokens<'py>(
    py: Python<'py>,
    scores: &Bound<'py, PyAny>,
    rules: GivenRules<'py>,
    settings: (f64, usize, f64),
    seed: u64,
    keys: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
    const OP: &str = "sample";
    let (temperature, top_k, top_p) = settings;
    let sampling = Sampling { temperature, top_k, top_p };
    let keys = ids(OP, "keys", keys)?;
    check_shape(OP, "keys", keys.shape(), &[("N", None), ("4", Some(4))])?;
    let rows = keys.shape()[0];
    let open = OpenRules::open(OP, &rules, rows)?;
    let keys: Vec<[u64; 4]> =
        slice(&keys)?.chunks_exact(4).map(|key| std::array::from_fn(|i| key[i] as u64)).collect();
    by_kind!(OP, "scores", scores, R => {
        let scores = input::<R>(OP, "scores", scores)?;
        check_shape(OP, "scores", scores.shape(), &[("N", Some(rows)), ("V", None)])?;
        let (table, rules) = ((slice(&scores)?, scores.shape()[1]), open.rules()?);
        let drawn = py.detach(|| decoding::draw(table, &rules, sampling, seed, &keys))?;
        Ok((PyArray1::from_vec(py, drawn.tokens), PyArray1::from_vec(py, drawn.log_p)))
    })
}
