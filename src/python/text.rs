//! Words and symbols of texts, and vocabularies of them.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::text::form::{Form, Joiner, parse};
use crate::text::segment::{self, Kind, segments};
use crate::text::{build, counts, vocabulary};

/// A vocabulary of words and symbols.
#[pyclass(name = "WordCodec", module = "rnnrs._rnnrs", frozen)]
struct PyWordCodec {
    words: vocabulary::Words,
    tokens: Vec<PyBackedStr>,
}

#[pymethods]
impl PyWordCodec {
    #[new]
    fn new(tokens: Vec<PyBackedStr>) -> PyResult<PyWordCodec> {
        Ok(PyWordCodec { words: vocabulary::Words::new(&tokens)?, tokens })
    }

    /// The arguments of `new`, for pickling and copying.
    fn __getnewargs__(&self) -> (Vec<&str>,) {
        (self.tokens.iter().map(|token| &**token).collect(),)
    }

    /// Returns the ids (N,) of a text.
    fn encode<'py>(&self, py: Python<'py>, text: PyBackedStr) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_vec(py, py.detach(|| self.words.encode(&text)))
    }

    /// Returns the token of each id of a text, or its surface where it is unknown.
    fn pieces(&self, py: Python<'_>, text: PyBackedStr) -> Vec<String> {
        py.detach(|| self.words.pieces(&text))
    }

    /// Returns the text of ids.
    fn decode(&self, py: Python<'_>, ids: Vec<i64>) -> PyResult<String> {
        Ok(py.detach(|| self.words.decode(&ids))?)
    }
}

/// The counts of the words and symbols of texts that are read part by part.
#[pyclass(name = "WordCounts", module = "rnnrs._rnnrs")]
struct PyWordCounts(counts::Counts);

#[pymethods]
impl PyWordCounts {
    #[new]
    fn new() -> PyWordCounts {
        PyWordCounts(counts::Counts::default())
    }

    /// Returns the number of different forms.
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Counts the words and symbols of a text.
    fn read(&mut self, py: Python<'_>, text: PyBackedStr) {
        py.detach(|| self.0.read(&text));
    }

    /// Adds the counts of other texts.
    fn merge(&mut self, py: Python<'_>, other: PyRef<'_, PyWordCounts>) {
        let other = &other.0;
        py.detach(|| self.0.merge(other));
    }

    /// Drops the rarest forms, so that at most `most` remain. Returns the highest count that was dropped.
    fn prune(&mut self, py: Python<'_>, most: usize) -> u64 {
        py.detach(|| self.0.prune(most))
    }

    /// Returns the tokens: the special ones, then the most frequent ones first.
    #[pyo3(signature = (min_count, max_size))]
    fn tokens(&self, py: Python<'_>, min_count: u64, max_size: Option<usize>) -> Vec<String> {
        py.detach(|| build::tokens(&self.0, min_count, max_size))
    }
}

/// A text that grows by one token after the other.
#[pyclass(name = "WordJoiner", module = "rnnrs._rnnrs")]
struct PyWordJoiner(Joiner);

#[pymethods]
impl PyWordJoiner {
    #[new]
    fn new() -> PyWordJoiner {
        PyWordJoiner(Joiner::default())
    }

    /// Returns the text that a token adds.
    fn add(&mut self, token: &str) -> String {
        let mut text = String::new();
        self.0.push(token, &mut text);
        text
    }
}

/// Returns a token without its marks; empty for a mark by itself.
#[pyfunction]
fn word_surface(token: &str) -> &str {
    match parse(token) {
        Form::Mark(_) => "",
        Form::Word(surface, _) => surface,
    }
}

/// Returns the words and symbols of a text.
#[pyfunction]
fn find_words(text: &str) -> Vec<&str> {
    segments(text).map(|segment| segment.surface).collect()
}

/// Returns the beginning of a text up to the end of its count-th word or symbol.
#[pyfunction]
fn first_words(text: &str, count: usize) -> &str {
    let end = segments(text).take(count).last().map_or(0, |last| last.start + last.surface.len());
    &text[..end]
}

/// Returns the word, or the beginning of one, at the end of a text.
#[pyfunction]
fn last_word(text: &str) -> &str {
    segment::last_word(text)
}

/// Returns whether a text is one word.
#[pyfunction]
fn is_word(text: &str) -> bool {
    let mut found = segments(text);
    found.next().is_some_and(|word| word.kind != Kind::Symbol && word.surface == text)
        && found.next().is_none()
}

/// Adds the module's functions and classes.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyWordCodec>()?;
    module.add_class::<PyWordCounts>()?;
    module.add_class::<PyWordJoiner>()?;
    module.add_function(wrap_pyfunction!(word_surface, module)?)?;
    module.add_function(wrap_pyfunction!(find_words, module)?)?;
    module.add_function(wrap_pyfunction!(first_words, module)?)?;
    module.add_function(wrap_pyfunction!(last_word, module)?)?;
    module.add_function(wrap_pyfunction!(is_word, module)?)
}
