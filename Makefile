# Everything here sets up what it needs in .venv; PYTHON may name another Python, 3.11 or later.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SETUP := .venv/.installed

.PHONY: setup demo test sweep lint format bench calibrate clean
.DEFAULT_GOAL := setup

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "assay needs Python 3.11 or later; name one with PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/assay demo --out assay-demo

test: setup
	$(BIN)/python -m pytest -n 2

# Every pair of operations of the reference that can meet on one object, interleaved, every operation
# with the power cut at every step, fifty workers killed while they publish, and the service held
# against its model for long.
sweep: setup
	ASSAY_SWEEP=all $(BIN)/python -m pytest -n 2 tests/reference/test_interleavings.py tests/reference/test_power_cuts.py
	TEST_KILLS=50 $(BIN)/python -m pytest reference/fastapi/tests/test_killed_relays.py
	TEST_MODEL_EXAMPLES=400 TEST_MODEL_STEPS=50 $(BIN)/python -m pytest reference/fastapi/tests/test_model.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd reference/fastapi && ../../$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m tests.benchmarks

# The grader's own errors: every flaw, fix and decoy three times over, and all of them in bundles.
calibrate: setup
	$(BIN)/assay calibrate --repeat 3 --out assay-calibration

clean:
	rm -rf .venv assay-demo build
