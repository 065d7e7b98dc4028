# `make help` lists what there is. Everything happens in environments of its own, made from nothing:
# .venv for Python, target/ for Rust. Needed beforehand: Python ≥ 3.10 with venv, a Rust toolchain.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
PYTHON_SOURCES := python tests benches examples .ci

.DEFAULT_GOAL := help
.PHONY: help demo build wheel lint lint-rust lint-python lint-repository format test test-rust test-python test-aarch64 test-attacks test-mpi test-browser test-dockerfile miri bench bench-peers docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build  ## train on Shakespeare for a minute, judge it, let it write (result in demo-output/)
	$(BIN)/rnnrs demo --output demo-output

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip maturin
	$(BIN)/python -m pip install --quiet --group test --group lint
	touch $@

build: $(VENV)/.ready  ## compile the Rust core and install the package into .venv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet --extras all

wheel: $(VENV)/.ready  ## the wheel, in dist/, and its size
	rm -f dist/rnnrs-*.whl
	$(BIN)/maturin build --release --quiet --out dist
	$(BIN)/python .ci/check_wheel.py dist

lint: lint-rust lint-python lint-repository  ## all checks without a test: formats, clippy, ruff, mypy, sizes, workflows

lint-rust:  ## rustfmt, clippy, rustdoc
	cargo fmt --check
	cargo clippy --all-targets -- --deny warnings
	cargo clippy --features python -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps --quiet

lint-python: build  ## ruff, mypy, stubs against the module
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest rnnrs._rnnrs --ignore-missing-stub

# grep: the version in CITATION.cff is that of Cargo.toml.
lint-repository: $(VENV)/.ready  ## sizes of functions, files and lines; workflows, citation, hooks (no network)
	$(BIN)/python .ci/check_sizes.py
	$(BIN)/actionlint
	$(BIN)/zizmor --offline --quiet .github .pre-commit-config.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	grep --quiet --line-regexp "version: $$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)" CITATION.cff
	$(BIN)/pre-commit validate-config .pre-commit-config.yaml

format: $(VENV)/.ready  ## rewrite the sources in the project's format
	cargo fmt
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)

test: test-rust test-python  ## all tests

test-rust:  ## the Rust core's tests: no Python needed
	cargo test --release --quiet

# Each worker computes with one thread (tests/python/conftest.py). A file's tests stay together: they share models.
test-python: build  ## the package's tests, in one process per core
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

$(VENV)/.attacks: pyproject.toml
	$(BIN)/python -m pip install --quiet --group attacks
	touch $@

test-attacks: build $(VENV)/.attacks  ## a real server under generated, hostile and broken requests
	$(BIN)/python -m pytest tests/attacks --timeout 900

$(VENV)/.mpi: pyproject.toml
	$(BIN)/python -m pip install --quiet --group mpi
	touch $@

test-mpi: build $(VENV)/.mpi  ## training over several processes of a real MPI, which are killed, too (RNNRS_KILLS=50 for more)
	$(BIN)/python -m pytest tests/mpi --timeout 600

$(VENV)/.browser: pyproject.toml
	$(BIN)/python -m pip install --quiet --group browser
	touch $@

test-browser: build $(VENV)/.browser  ## the page of `rnnrs serve` in Debian's Chromium; screenshots in target/screenshots
	$(BIN)/python -m pytest tests/browser

test-dockerfile: wheel  ## the steps of docker/Dockerfile, without Docker
	$(BIN)/python .ci/run_dockerfile.py dist

AARCH64 := aarch64-unknown-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER := aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER := qemu-aarch64 -L /usr/aarch64-linux-gnu

test-aarch64:  ## lint the core for aarch64 and run its kernels' tests in an emulator
	@command -v aarch64-linux-gnu-gcc qemu-aarch64 > /dev/null || { \
		echo "needs a cross linker and an emulator: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"; exit 1; }
	rustup target add $(AARCH64)
	cargo clippy --target $(AARCH64) --all-targets -- --deny warnings
	RNNRS_FEW_NUMBERS=1 cargo test --release --quiet --target $(AARCH64) --lib kernels

miri:  ## the portable kernels under Miri, which finds undefined behavior (needs Rust's nightly)
	rustup toolchain list | grep --quiet ^nightly || rustup toolchain install nightly --profile minimal
	rustup component add miri rust-src --toolchain nightly
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --quiet --lib kernels

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
	$(BIN)/python -m pytest tests/python/docs
	cargo doc --no-deps

clean:  ## remove what the other targets made
	rm -rf target dist demo-output $(VENV) $(PEERS)
