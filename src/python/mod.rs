//! The Python module `rnnrs._rnnrs`: the only code that depends on Python.
//!
//! A function here checks and converts its arguments, releases the GIL and calls the rest of the crate, which
//! does the computation. `python/rnnrs/_rnnrs.pyi` declares the same interface for Python's type checkers.

mod array;
mod attention;
mod batch_norm;
mod conv;
mod decoder;
mod decoding;
mod dropout;
mod error;
mod init;
mod jordan;
mod layers;
mod lie;
mod loss;
mod optim;
mod order;
mod pooling;
mod recurrence;
mod sampling;
mod stepper;
mod storage;
mod text;

use std::collections::BTreeMap;

use pyo3::prelude::*;

use crate::{kernels, parallel};

/// Reuses the memory of one training step's arrays for the next step.
#[global_allocator]
static ALLOCATOR: kernels::Recycler = kernels::Recycler;

/// Sets the number of threads.
#[pyfunction]
fn set_num_threads(threads: i64) -> PyResult<()> {
    let wanted = usize::try_from(threads).map_err(|_| {
        error::value_error("set_num_threads", "threads", "a number from 1 to 1024", &threads.to_string())
    })?;
    Ok(parallel::set_num_threads(wanted)?)
}

/// Returns the number of threads in use.
#[pyfunction]
fn get_num_threads() -> PyResult<usize> {
    Ok(parallel::num_threads()?)
}

/// Starts or stops counting the processor time that threads spend waiting; returns the seconds of each thread
/// since the last call, by the thread's name.
#[pyfunction]
fn count_waiting(on: bool) -> BTreeMap<String, f64> {
    parallel::count_waiting(on).into_iter().map(|(thread, time)| (thread, time.as_secs_f64())).collect()
}

/// Checks that this many bytes are available; raises MemoryError otherwise.
#[pyfunction]
fn check_memory(bytes: u64) -> PyResult<()> {
    Ok(parallel::check_memory("Parameters", bytes)?)
}

/// Returns the instruction set in use: "scalar", "neon", "avx2" or "avx512".
#[pyfunction]
fn instruction_set() -> PyResult<&'static str> {
    Ok(kernels::instruction_set()?.name())
}

#[pymodule]
fn _rnnrs(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // An invalid RNNRS_ISA or RNNRS_NUM_THREADS fails at import, not later.
    kernels::instruction_set()?;
    parallel::num_threads()?;
    parallel::set_interrupt_hook(error::interrupted);
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ShapeError", py.get_type::<error::ShapeError>())?;
    module.add("DTypeError", py.get_type::<error::DTypeError>())?;
    module.add("FormatError", py.get_type::<error::FormatError>())?;
    module.add_class::<stepper::PyStepper>()?;
    module.add_class::<decoder::PyDecoder>()?;
    module.add_function(wrap_pyfunction!(set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(get_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(instruction_set, module)?)?;
    module.add_function(wrap_pyfunction!(count_waiting, module)?)?;
    module.add_function(wrap_pyfunction!(check_memory, module)?)?;
    module.add_function(wrap_pyfunction!(init::initialize, module)?)?;
    layers::register(module)?;
    conv::register(module)?;
    batch_norm::register(module)?;
    dropout::register(module)?;
    order::register(module)?;
    recurrence::register(module)?;
    jordan::register(module)?;
    loss::register(module)?;
    optim::register(module)?;
    pooling::register(module)?;
    attention::register(module)?;
    text::register(module)?;
    module.add_function(wrap_pyfunction!(sampling::sample, module)?)?;
    module.add_function(wrap_pyfunction!(sampling::top_k, module)?)?;
    module.add_function(wrap_pyfunction!(sampling::log_softmax, module)?)?;
    module.add_function(wrap_pyfunction!(decoding::best_continuations, module)?)?;
    module.add_function(wrap_pyfunction!(decoding::draw_tokens, module)?)?;
    module.add_function(wrap_pyfunction!(storage::serialize, module)?)?;
    module.add_function(wrap_pyfunction!(storage::deserialize, module)?)?;
    Ok(())
}
