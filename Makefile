# make demo   one command from a bare clone to a scanned genome (installs what scanning needs)
# make test   installs what the tests need and runs them all, two at a time
# make lint   ruff, as CI runs it
# make docs   the documents as a site, build/site/index.html; what sphinx warns of is an error

# (--no-compile: Python compiles what it imports, a fraction of what is installed, and keeps it)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo docs test lint clean

demo: $(VENV)/installed-base
	$(BIN)/genoscan demo --out-dir demo

test: $(VENV)/installed-dev
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
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/installed-base $(VENV)/installed-docs

$(VENV)/installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[docs]'
	touch $@ $(VENV)/installed-base

clean:
	rm -rf $(VENV) demo build *.egg-info
