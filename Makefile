# make demo       one command from a bare clone to a scanned genome (installs what scanning needs)
# make test       installs what the tests need and runs them, two at a time, but for those marked `long`
# make test-all   runs all tests
# make lint       ruff, as CI runs it
# make docs       the documents as a site, build/site/index.html; what sphinx warns of is an error

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# pip would compile on one core, and all packages' tests; a few files are templates, which do not compile
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
# Python keeps what it compiles, whatever the environment says: tests start it hundreds of times
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo docs test test-all lint clean

demo: $(VENV)/installed-base
	$(BIN)/genoscan demo --out-dir demo

test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not long"

test-all: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees . build/site

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genoscan needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-base: pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --no-compile --constraint constraints.txt --editable '.[dev]'
	$(COMPILE)
	touch $@ $(VENV)/installed-base $(VENV)/installed-docs

$(VENV)/installed-docs: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[docs]'
	touch $@ $(VENV)/installed-base

clean:
	rm -rf $(VENV) demo build *.egg-info
