# Everything a newcomer needs: `make demo` and `make test`. Nothing but Python 3.11 to 3.13 and make is expected.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
WAVS ?=
DIST_OPTIONS ?=
WORKERS ?= 2
# Tests that share what is made for them stay in one process; torch's own threads would only compete.
PYTEST := OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n $(WORKERS) --dist loadgroup
FAST_TESTS := tests/test_imports.py tests/test_presets.py tests/text tests/audio tests/store \
	--deselect tests/store/test_kills.py

.PHONY: help setup demo test test-long check lint dist bench clean

help:  ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "voxgrad needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

setup: $(VENV)/installed  ## Install into .venv

demo: setup  ## Clone a voice: of WAVS=DIR, or of a speaker that it makes itself
	$(RUN)/voxgrad demo $(WAVS) -o demo

test: setup  ## Run the tests, in WORKERS=2 processes
	$(PYTEST)

test-long: setup  ## Run the tests, the long forms of them too: kills, faults, concurrency, mutations
	VOXGRAD_LONG=1 VOXGRAD_INTERRUPTIONS=50 $(PYTEST)

check: lint  ## Check style and types, and run the tests that take less than a minute
	$(PYTEST) $(FAST_TESTS)

lint: setup  ## Check style and types
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

dist: setup  ## Build the wheels and the sdist, install each wheel into a clean environment, speak with it
	rm -rf dist
	$(RUN)/python -m build --outdir dist .
	$(RUN)/python packaging/build_say.py dist
	$(RUN)/python tests/check_dist.py dist $(DIST_OPTIONS)

bench: setup  ## Measure, side by side
	$(RUN)/python tests/benchmarks/bench_align.py
	$(RUN)/python tests/benchmarks/bench_text.py
	$(RUN)/python tests/benchmarks/bench_say.py --write docs/benchmarks.md
	$(RUN)/python tests/benchmarks/bench_peers.py
	$(RUN)/python tests/benchmarks/bench_doubts.py

clean:  ## Remove everything that was made
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .hypothesis
