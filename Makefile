# Every target sets up what it needs: `make demo` on a fresh clone is enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PINS := pyproject.toml constraints.txt
# Tests start processes by the hundred: bytecode is kept for the next one, even if the shell says otherwise.
BYTECODE = PYTHONDONTWRITEBYTECODE=
# Where tests keep what nobody will miss: in memory takes half the time of a disk, if there are 2 GB and no noexec.
MEMORY = $(shell grep -qs '/dev/shm tmpfs [^ ]*noexec' /proc/mounts || \
  df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 {print "TMPDIR=/dev/shm"}')

.DEFAULT_GOAL := help
.PHONY: help setup demo test fuzz screenshots accessibility page-times cancel-race check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Prepare .venv for development

demo: $(VENV)/.runtime ## Run a provider and two consumers side by side (ONCE=1: one pass, then stop)
	@$(BIN)/sxg demo $(if $(filter 1,$(ONCE)),--once)

test: $(VENV)/.dev ## Run every test floor, shared out over all CPUs
	@$(BYTECODE) $(if $(TMPDIR),,$(MEMORY)) $(BIN)/python -m pytest -n auto

fuzz: $(VENV)/.dev ## Make 2,000 generated calls of each side's API; writes reports/openapi-cases.md
	@$(BIN)/python -m tests.campaigns.openapi

screenshots: $(VENV)/.dev ## Take pictures of every page; in docs/screenshots/all, six of them in docs/screenshots
	@$(BIN)/python -m tests.campaigns.screenshots --keep docs/screenshots

accessibility: $(VENV)/.dev ## Look through every page with axe and by keys; writes reports/accessibility.md
	@$(BIN)/python -m tests.campaigns.accessibility

page-times: $(VENV)/.dev ## Time each page with 10,000 orders and 100 connections; writes reports/page-times.md
	@$(BIN)/python -m tests.campaigns.page_times

cancel-race: $(VENV)/.dev ## Cancel against the point of no return, 1,000 times on each database; writes reports/cancel-race.md
	@$(BIN)/python -m tests.campaigns.cancel_race

check: $(VENV)/.dev ## Lint, formatting, types, import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove .venv and every cache; the data in var/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The stamps say when each set of packages was last installed. The interpreter is order-only: its date means nothing.
$(VENV)/.runtime: $(PINS) | $(BIN)/python
	@echo "Installing the packages it runs on ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(PINS) | $(BIN)/python
	@echo "Installing the packages it runs on and is tested with ..."
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.runtime $@
