# `make run` and `make test` are all that is needed; README.md gives the plain commands as well.

PYTHON ?= python3
VENV ?= .venv
ADMIN ?= 127.0.0.1:8000
ENDPOINT ?= tcp://127.0.0.1:5570
WORKERS ?= 2
ARGS ?=

bin := $(VENV)/bin
python := $(bin)/python

.PHONY: run test demo bench lint clean

run: $(VENV)/installed
	@$(python) deploy/run.py --admin $(ADMIN)

test: $(VENV)/installed-dev
	$(python) -m pytest -n $(WORKERS) $(ARGS)

demo: $(VENV)/installed
	$(python) -m zmqbridge demo --endpoint $(ENDPOINT) docs/examples/household.jsonl

bench: $(VENV)/installed-bench
	$(python) -m benchmarks $(ARGS)

lint: $(VENV)/installed-dev
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(python) manage.py makemigrations --check --dry-run

clean:
	rm -rf $(VENV)

# The stamps make a second run quick: they are older than the pins only after a change of those.
$(VENV)/installed: requirements.txt | $(python)
	@echo "Installing what requirements.txt names into $(VENV) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements.txt | $(python)
	@echo "Installing what requirements-dev.txt names into $(VENV) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/installed

$(VENV)/installed-bench: requirements-bench.txt requirements.txt | $(python)
	@echo "Installing what requirements-bench.txt names into $(VENV) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

$(python):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %s: name another, as in make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (on Debian and Ubuntu the package python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
