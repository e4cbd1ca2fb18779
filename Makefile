# Everything a newcomer needs: `make demo` and `make test`. Nothing but Python 3.11 to 3.13 and make is expected.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
WAVS ?=
DIST_OPTIONS ?=
WORKERS ?= 2
# Exact versions of everything that is installed; `make test-latest` and `make test-oldest` go without.
CONSTRAINTS ?= --constraint constraints.txt
EXTRAS ?= dev
# An index with builds of torch and torchaudio for processors only; empty: the default builds, which need 4 GB more.
TORCH_INDEX ?=
INSTALL = $(RUN)/python -m pip install --quiet $(CONSTRAINTS)
RESOLVE = $(RUN)/uv pip compile --quiet --upgrade --no-annotate pyproject.toml --extra dev
# A process that is done takes tests from the others; torch's own threads would only compete.
PYTEST := OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n $(WORKERS) --dist worksteal
FAST_TESTS := tests/test_imports.py tests/test_options.py tests/test_presets.py tests/text tests/audio tests/store

.PHONY: help setup demo test test-long test-latest test-oldest constraints check lint dist bench clean

help:  ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "voxgrad needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(INSTALL) --index-url $(TORCH_INDEX) torch torchaudio)
	$(INSTALL) hatchling editables setuptools
	$(INSTALL) --no-build-isolation --editable '.[$(EXTRAS)]'
	touch $@

setup: $(VENV)/installed  ## Install into .venv

demo: setup  ## Clone a voice: of WAVS=DIR, or of a speaker that it makes itself
	$(RUN)/voxgrad demo $(WAVS) -o demo

test: setup  ## Run the tests, in WORKERS=2 processes
	$(PYTEST)

test-long: setup  ## Run the tests, the long forms of them too: kills, faults, concurrency, mutations
	VOXGRAD_LONG=1 $(PYTEST)

test-latest:  ## Run the tests with the newest release of every package, extras too, in .venv-latest
	$(MAKE) test VENV=.venv-latest CONSTRAINTS=--upgrade EXTRAS=dev,all

# Resemblyzer asks for typing, whose newest release says that it is for Python 3.4 at most; pip finds an older one.
test-oldest: setup  ## Run the tests with the oldest releases that pyproject.toml allows, extras too, in .venv-oldest
	$(RESOLVE) --extra all --resolution lowest-direct --no-emit-package typing --no-header --output-file .oldest.txt
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS='--constraint .oldest.txt' EXTRAS=dev,all

constraints: setup  ## Resolve constraints.txt anew, and run the tests with it
	$(RESOLVE) --universal --python-version 3.11 --custom-compile-command 'make constraints' --output-file constraints.txt
	$(MAKE) test

check: lint  ## Check style and types, and run the tests that take less than a minute
	$(PYTEST) $(FAST_TESTS)

lint: setup  ## Check style and types
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

dist: setup  ## Build the wheels and the sdist, install each wheel into a clean environment, speak with it
	rm -rf dist
	$(RUN)/python -m build --outdir dist .
	$(RUN)/python tests/dist/build_say.py dist
	$(RUN)/python tests/dist/check_dist.py dist $(DIST_OPTIONS)

bench: setup  ## Measure, side by side
	$(RUN)/python tests/benchmarks/bench_align.py
	$(RUN)/python tests/benchmarks/bench_text.py
	$(RUN)/python tests/benchmarks/bench_say.py --write docs/benchmarks.md
	$(RUN)/python tests/benchmarks/bench_peers.py
	$(RUN)/python tests/benchmarks/bench_doubts.py

clean:  ## Remove everything that was made
	rm -rf $(VENV) .venv-latest .venv-oldest .oldest.txt demo build dist .mypy_cache .ruff_cache .hypothesis
