# Python 3.11 or newer, pip and make are enough: every target does its own set-up. `make help` lists them.
PYTHON ?= python3
VENV := .venv
OUT := runs/demo
PYTEST_ARGS :=
PATHS :=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Waiting threads that spin take the core from the one that works.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: demo test trust audit bench schema lint clean help

demo: $(VENV)/installed  ## The main job on the default data; OUT=runs/demo says where. Goes on where it was stopped
	$(BIN)/bridge demo --out $(OUT)

test: export OMP_NUM_THREADS := 1
test: $(VENV)/installed-tests  ## All tests; PYTEST_ARGS="-k retrieval" for some of them
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --durations=10 $(PYTEST_ARGS)

bench: export OMP_NUM_THREADS ?= 1
bench: $(VENV)/installed-bench  ## Every hot path beside what one would use instead; PATHS="stage_2 reports" for some. Leaves runs/bench
	$(BIN)/python tests/benchmarks/run.py $(PATHS)

trust: export OMP_NUM_THREADS ?= 1
trust: $(VENV)/installed-tests  ## Every figure of .github/RELIABILITY.md; SECTIONS="payloads privacy" for some. Leaves runs/trust
	$(BIN)/python tests/trust/run.py $(SECTIONS)

audit: $(VENV)/installed-tests  ## Ask the public databases for known holes in all that is installed; needs the network
	$(PIP) install -c constraints.txt pip-audit
	$(BIN)/pip-audit --skip-editable

schema: $(VENV)/installed  ## Publish the JSON schema of a report again after a change of it
	$(BIN)/python -c "import json; from bridge.report.schema import report_schema; print(json.dumps(report_schema(), indent=1))" > bridge/report/report.schema.json

lint: $(VENV)/installed-tests  ## Style and import directions; both are part of the tests too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

clean:  ## Remove the environment and caches; runs/ and the download cache stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' Makefile

# The stamps are written last: a set-up that was interrupted is done again.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else "make: found Python %d.%d, expected 3.11 or newer; name one with: make PYTHON=python3.11 ..." % v)'
	@echo "Setting up $(VENV): a few minutes and about 2 GB, once"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	@touch $@

# open_clip_torch is only compared with: its torchvision would break `import transformers` beside the CPU build of torch.
$(VENV)/installed-tests: $(VENV)/installed
	$(PIP) install -c constraints.txt -e ".[test]"
	$(PIP) install -c constraints.txt --no-deps open_clip_torch
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-tests
	$(PIP) install -c constraints.txt -e ".[bench]"
	@touch $@
