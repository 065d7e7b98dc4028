# `make help` lists what there is. Everything happens in environments of its own, made from nothing:
# .venv for Python, target/ for Rust. Needed beforehand: Python ≥ 3.10 with venv, a Rust toolchain.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help demo build wheel lint format test test-rust test-python bench bench-peers docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build  ## train on Shakespeare for a minute, judge it, let it write (result in demo-output/)
	$(BIN)/rnnrs demo --output demo-output

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip maturin
	$(BIN)/python -m pip install --quiet --group test --group lint
	touch $@

build: $(VENV)/.ready  ## compile the Rust core and install the package into .venv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet --extras all

wheel: $(VENV)/.ready  ## the wheel, in dist/
	$(BIN)/maturin build --release --out dist

lint: $(VENV)/.ready  ## formatting, clippy, ruff, mypy, stubs against the module
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings
	cargo clippy --features python -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps --quiet
	$(BIN)/ruff format --check python tests benches examples
	$(BIN)/ruff check python tests benches examples
	$(MAKE) --no-print-directory build
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rnnrs._rnnrs --ignore-missing-stub

format:  ## rewrite the sources in the project's format
	cargo fmt
	$(BIN)/ruff format python tests benches examples
	$(BIN)/ruff check --fix python tests benches examples

test: test-rust test-python  ## all tests

test-rust:  ## the Rust core's tests: no Python needed
	cargo test --release --quiet

test-python: build  ## the package's tests
	$(BIN)/python -m pytest

bench:  ## criterion benches of the Rust core: no Python needed
	cargo bench

$(PEERS)/.ready: benches/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade pip maturin
	$(PEERS)/bin/python -m pip install --quiet -r benches/peers/requirements.txt
	touch $@

bench-peers: $(PEERS)/.ready  ## side by side with NumPy, PyTorch, JAX and ONNX Runtime (installs several GB)
	VIRTUAL_ENV=$(abspath $(PEERS)) $(PEERS)/bin/maturin develop --release --quiet
	$(PEERS)/bin/python benches/peers/run.py

docs: build  ## check that the documentation's code runs; build the Rust core's pages in target/doc
	$(BIN)/python -m pytest tests/python/test_docs.py
	cargo doc --no-deps

clean:  ## remove what the other targets made
	rm -rf target dist demo-output $(VENV) $(PEERS)
